"""BSON and MongoDB's messages as JSON and back: pymongo's own encoder says what is right."""

from __future__ import annotations

import datetime
import json
import os
import random
import re
from typing import Any

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo.message import _op_msg
from relive_base.redaction.redactor import Redactor
from relive_capture.bson_values import as_line, document, packed
from relive_capture.explore.scene.recordings import build_recording
from relive_capture.mongo_wire import answer_message, answers, command, split
from relive_capture.record.recording.object_ids import ObjectIds
from relive_capture.recording_format import RawCall, RecordedCall, Recording, ReplayNotes
from relive_capture.typed_bodies import answer_text, values_text

DECIMALS = (
    "1.10", "0", "-0", "0E-6176", "NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1E-6176", "0E+6111",
    "9.999999999999999999999999999999999E+6144", "-123.456", "1E+6111",
)  # fmt: skip
DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"a": 1, "b": 2**40, "c": -1, "d": Int64(5), "e": 1.0, "f": -0.0, "g": float("nan"), "h": float("-inf")},
    {"t": "x\u00e9\U0001f600", "n": None, "b": True, "c": False, "l": [1, [2, {"x": []}], {}]},
    {"oid": ObjectId(), "d": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), "o": datetime.datetime.min},
    {"re": re.compile("a.b", re.IGNORECASE | re.MULTILINE), "rx": Regex("q", "imsx"), "c": Code("f()")},
    {"bin": b"\0\1", "u": Binary(os.urandom(16), 4), "x": Binary(b"zz", 128), "ts": Timestamp(2**32 - 1, 7)},
    {"cs": Code("f()", {"a": 1}), "mk": MinKey(), "Mk": MaxKey(), "ref": DBRef("c", 5, "db")},
    {"$date": 5}, {"$oid": "x"}, {"$doc": [1]}, {"x": {"$numberLong": "5"}}, {"x": {"$gt": 5}},
    *({"d": Decimal128(text)} for text in DECIMALS),
]  # fmt: skip


def again(raw: bytes) -> bytes:
    value, end = document(raw)
    assert end == len(raw)
    return packed(json.loads(as_line(value)))


@pytest.mark.parametrize("value", DOCUMENTS)
def test_a_document_comes_out_as_it_went_in(value: dict[str, Any]) -> None:
    raw = bson.encode(value)

    assert again(raw) == raw
    assert b"\n" not in as_line(document(raw)[0])


def test_any_decimal_and_text_that_is_no_utf_8() -> None:
    for _ in range(500):
        raw = bson.encode({"d": Decimal128.from_bid(os.urandom(16))})
        assert again(raw) == raw
    raw = bson.encode({"text": "abc"}).replace(b"abc", b"a\xffc")
    assert again(raw) == raw


def test_what_is_no_bson_is_refused_and_nothing_else_is_raised() -> None:
    chance = random.Random(1)
    refused = 0
    for _ in range(5_000):
        raw = bytearray(bson.encode(chance.choice(DOCUMENTS)))
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            value, end = document(bytes(raw))
        except ValueError:
            refused += 1
            continue
        assert document(packed(json.loads(as_line(value))))[0] == value
        assert end <= len(raw)
    assert refused > 1_000
    nested: Any = {}
    for _ in range(200):
        nested = {"a": nested}
    with pytest.raises(ValueError, match="deep"):
        document(bson.encode(nested))
    for hostile in (5, {"a": {"$oid": "zz"}}, {"a": {"$date": []}}, {"$doc": 5}, {"a": 2**70}, nested_json()):
        with pytest.raises(ValueError, match=r"."):
            packed(hostile)


def nested_json() -> Any:
    found: Any = {}
    for _ in range(3_000):
        found = {"a": found}
    return found


def sent(value: dict[str, Any], database: str = "shop", flags: int = 0) -> bytes:
    return bytes(_op_msg(flags, value, database, None, bson.DEFAULT_CODEC_OPTIONS)[1])


def test_a_command_is_its_name_its_place_and_its_arguments() -> None:
    ((code, _, content),) = split(
        sent({"insert": "items", "documents": [{"_id": 1}, {"_id": 2}], "lsid": {"id": 1}, "txnNumber": 5})
    )
    found = command(code, content)
    assert (found.name, found.statement, found.whole, found.answered) == (
        "insert",
        "insert shop.items",
        True,
        True,
    )
    assert found.arguments == {"documents": [{"_id": 1}, {"_id": 2}]}

    cut = command(code, content[:-10])
    assert (cut.statement, cut.whole) == ("insert shop.items", False)

    ((code, _, content),) = split(sent({"getMore": Int64(7), "collection": "items"}, flags=2))
    more = command(code, content)
    assert (more.statement, more.arguments) == ("getMore shop.items", {"getMore": {"$numberLong": "7"}})
    assert not more.answered


def test_an_answer_is_a_message_again() -> None:
    message = answer_message(2013, 9, {"ok": 1.0}) + answer_message(2004, 9, {"ok": 1})

    assert [json.loads(as_line(value)) for value in answers(message)] == [{"ok": 1.0}, {"ok": 1}]
    assert list(answers(message[:-1])) == [{"ok": 1.0}]


def recorded(request: bytes, response: dict[str, Any]) -> RecordedCall:
    raw = RawCall("mongo", "pymongo", "invoke", 1, "mongodb://h:1", request=request, ended=True)
    raw.response = answer_message(2013, 1, document(bson.encode(response))[0])
    found = build_recording(Recording(notes=ReplayNotes(), recorded_calls=[raw]), Redactor())
    return found.recorded_calls[0]


def test_a_call_is_shown_with_its_operators_and_what_came() -> None:
    call = recorded(
        sent({"find": "items", "filter": {"price": {"$gt": Int64(5)}}}), {"cursor": {"firstBatch": [{}]}}
    )
    assert values_text(call) == "find shop.items  {filter: {price: {$gt: 5}}}  at mongodb://h:1"
    assert answer_text(call.response_body.text) == "1 document"
    assert answer_text('{"n":3,"ok":1}') == "n: 3"
    assert answer_text('{"n":0,"ok":1,"writeErrors":[{"code":11000,"errmsg":"twice"}]}') == "twice"
    assert answer_text('{"ok":0,"errmsg":"no such command"}') == "no such command"


def test_secrets_are_found_by_their_names() -> None:
    asked = {"update": "users", "updates": [{"q": {"_id": 1}, "u": {"$set": {"password": "sesame-1"}}}]}
    call = recorded(sent(asked), {"ok": 1, "value": {"token": "sesame-2", "name": "Ann"}})

    assert "sesame" not in call.request_body.text + call.response_body.text
    assert "Ann" in call.response_body.text
    assert len(call.redacted) == 2


def test_object_ids_are_kept_as_runs() -> None:
    ids = ObjectIds()
    for number in [*range(2**24 - 2, 2**24), *range(3_000)]:
        ids.add(100, b"rando", number)
    ids.add(101, b"rando", 3_000)
    ids.add(101, b"rando", 5)

    assert ids.runs() == [
        (bytes([0, 0, 0, 100]) + b"rando\xff\xff\xfe", 3_002),
        (bytes([0, 0, 0, 101]) + b"rando\x00\x0b\xb8", 1),
        (bytes([0, 0, 0, 101]) + b"rando\x00\x00\x05", 1),
    ]
    assert ids.left_out == 0
