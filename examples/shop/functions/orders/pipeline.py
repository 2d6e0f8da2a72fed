"""The asynchronous order pipeline: charge, pack, confirm."""

import logging
import time

from opentelemetry import trace

tracer = trace.get_tracer("shop.orders")
log = logging.getLogger("orders")


class CardDeclined(Exception):
    """The payment provider said no."""


def handler(order, context):
    log.info("order of %s over %d cents", order["customer"], order["total_cents"])
    with tracer.start_as_current_span("charge"):
        receipt = charge(order)
    with tracer.start_as_current_span("pack"):
        boxes = pack(order["lines"])
    with tracer.start_as_current_span("confirm"):
        return confirm(order, receipt, boxes)


def charge(order):
    time.sleep(0.004)  # the provider's answer
    card_number = "4111 1111 1111 1111"
    if order["total_cents"] > 500_000:
        raise CardDeclined(f"limit exceeded for card {card_number}")
    return {"amount": order["total_cents"], "reference": f"ch_{abs(hash(order['customer'])) % 10_000_000}"}


def pack(lines):
    boxes, room = [], 0
    for line in sorted(lines, key=lambda line: -line["quantity"]):
        for _ in range(line["quantity"]):
            if room == 0:
                boxes.append([])
                room = 12
            boxes[-1].append(line["sku"])
            room -= 1
    return boxes


def confirm(order, receipt, boxes):
    log.info("confirmed %s with %d boxes", receipt["reference"], len(boxes))
    return {"reference": receipt["reference"], "boxes": len(boxes)}
