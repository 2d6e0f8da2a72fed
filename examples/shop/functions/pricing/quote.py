"""Price the lines of a cart: list price, quantity rebate, voucher."""

import hashlib
from decimal import ROUND_HALF_EVEN, Decimal

from opentelemetry import trace

tracer = trace.get_tracer("shop.pricing")

PRICES = {f"A{number}": Decimal(199 + number * 37) for number in range(1, 400)}
VOUCHERS = {"WELCOME": {"percent": 10}, "FRIENDS": {"percent": 15}, "SUMMER": {"amount_cents": 500}}


def handler(event, context):
    with tracer.start_as_current_span("price lines", attributes={"lines": len(event["lines"])}):
        lines = [price_line(line) for line in event["lines"]]
    total = sum(line["cents"] for line in lines)
    if event.get("voucher"):
        with tracer.start_as_current_span("apply voucher", attributes={"voucher": event["voucher"]}):
            total = apply_voucher(total, event["voucher"])
    return {"lines": lines, "total_cents": total, "etag": signature(lines)}


def price_line(line):
    quantity = line["quantity"]
    unit = PRICES[line["sku"]]
    cents = rebate(unit * quantity, quantity)
    return {"sku": line["sku"], "quantity": quantity, "cents": int(cents)}


def rebate(amount, quantity):
    """Two percent off for every ten pieces, at most twenty."""
    percent = min(quantity // 10 * 2, 20)
    return (amount * (100 - percent) / 100).quantize(Decimal(1), ROUND_HALF_EVEN)


def apply_voucher(total, code):
    voucher = VOUCHERS[code]
    return total * (100 - voucher["percent"]) // 100


def signature(lines):
    """A slow hash on purpose: this is the hot line of the shop."""
    text = repr(lines).encode()
    for _ in range(400):
        text = hashlib.sha256(text).digest() + text[:64]
    return text[:16].hex()
