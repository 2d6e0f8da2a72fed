"""What comes from outside is not what it should be."""

import csv
import datetime
import io
import json
import re
import zipfile
import zoneinfo
from decimal import Decimal, localcontext


def column_is_missing(event, context):
    """
    event = {text = "sku,count\\nA1,2\\nB2,\\n"}
    error = "ValueError"
    says = "invalid literal for int()"
    locals = {row = "{'sku': 'B2', 'count': ''}", total = "2"}
    """
    total = 0
    for row in csv.DictReader(io.StringIO(event["text"])):
        total += int(row["count"])  # fails here
    return total


def no_zip(event, context):
    """
    event = {hex = "504b0304"}
    error = "zipfile.BadZipFile"
    says = "not a zip file"
    locals = {data = "BytesIO"}
    """
    data = io.BytesIO(bytes.fromhex(event["hex"]))
    with zipfile.ZipFile(data) as archive:  # fails here
        return archive.namelist()


def cut_off_json(event, context):
    """
    event = {body = '{"items": [1, 2'}
    error = "json.decoder.JSONDecodeError"
    says = "Expecting"
    locals = {body = "items"}
    """
    body = event["body"]
    return json.loads(body)["items"]  # fails here


def naive_and_aware(event, context):
    """
    event = {due = "2026-03-01T10:00:00"}
    error = "TypeError"
    says = "offset-naive and offset-aware"
    locals = {due = "2026", now = "datetime"}
    """
    due = datetime.datetime.fromisoformat(event["due"])
    now = datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC)
    return (now - due).days  # fails here


def unknown_time_zone(event, context):
    """
    event = {zone = "Europe/Atlantis"}
    error = "ZoneInfoNotFoundError"
    says = "Europe/Atlantis"
    chain = ["ZoneInfoNotFoundError", "ModuleNotFoundError|FileNotFoundError|IsADirectoryError"]
    locals = {zone = "'Europe/Atlantis'"}
    """
    zone = event["zone"]
    return str(zoneinfo.ZoneInfo(zone))  # fails here


def undefined_amount(event, context):
    """
    event = {amounts = ["10.50", "0", "-0"]}
    error = "decimal.InvalidOperation"
    locals = {total = "Decimal('10.50')", divisor = "Decimal('0')"}
    """
    amounts = [Decimal(text) for text in event["amounts"]]
    total, divisor = sum(amounts), Decimal(event["amounts"][1])
    with localcontext() as rules:
        rules.prec = 4
        return str((divisor - divisor) / divisor + total)  # fails here


def broken_pattern(event, context):
    """
    event = {search = "(unclosed"}
    error = ["re.error", "PatternError", "error"]
    says = "unterminated subpattern"
    locals = {search = "'(unclosed'"}
    """
    search = event["search"]
    return re.findall(search, "text")  # fails here


def wrong_encoding(event, context):
    """
    event = {hex = "5afc72696368"}
    error = "UnicodeDecodeError"
    says = "can't decode byte 0xfc in position 1"
    locals = {raw = "Z"}
    """
    raw = bytes.fromhex(event["hex"])
    return raw.decode()  # fails here


def key_of_a_large_map(event, context):
    """
    event = {size = 200000, key = "sku-200001"}
    error = "KeyError"
    says = "sku-200001"
    locals = {stock = "sku-0", key = "'sku-200001'"}
    """
    stock = {f"sku-{number}": {"count": number} for number in range(event["size"])}
    key = event["key"]
    return stock[key]  # fails here
