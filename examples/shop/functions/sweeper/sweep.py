"""Every minute: forget carts that nobody came back to."""

import datetime
import logging

log = logging.getLogger("sweeper")

MAX_AGE = datetime.timedelta(hours=2)


def handler(event, context):
    now = datetime.datetime.fromisoformat(event["time"])
    carts = [{"id": number, "touched": now - datetime.timedelta(minutes=7 * number)} for number in range(40)]
    stale = [cart["id"] for cart in carts if now - cart["touched"] > MAX_AGE]
    log.info("swept %d of %d carts", len(stale), len(carts))
    return {"swept": len(stale)}
