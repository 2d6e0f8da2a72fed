"""The demo's events: what customers of a small shop send, a few of them badly."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["ShopEvent", "picture", "shop_events"]

SEED: Final = 20
COUNTRIES: Final = ("DE", "FR", "GB")
CUSTOMERS: Final = ("ada", "grace", "edsger", "barbara", "donald", "frances", "alan", "radia")

# How many of every 100 events go where; the rest are checkouts.
SHARES: Final = (("thumbnail", 14), ("screening", 10), ("report", 5), ("sweeper", 3))


@dataclass(frozen=True, slots=True)
class ShopEvent:
    """One event: a POST to `path`, or an invocation of `function`."""

    function: str
    body: dict[str, Any]
    path: str = ""
    asynchronous: bool = False


def shop_events(count: int) -> list[ShopEvent]:
    """`count` events in the same order on every run; about one in twelve fails, each way at least once."""
    dice = random.Random(SEED)
    failing = _failing(dice)
    repeats = max(count // 12 - len(failing), 0)
    weighted = [event for event in failing if event.function in ("checkout", "thumbnail", "report")]
    failing += dice.choices(weighted, k=repeats)
    good = [_good(dice) for _ in range(max(count - len(failing), 0))]
    # The failures come in the last two thirds, so that each function has succeeded before.
    calm = good[: len(good) // 3]
    mixed = good[len(good) // 3 :] + failing
    dice.shuffle(mixed)
    return calm + mixed


def _good(dice: random.Random) -> ShopEvent:
    roll = dice.randrange(100)
    for function, share in SHARES:
        if roll < share:
            return ShopEvent(function, _event(function, dice))
        roll -= share
    return _checkout(dice)


def _event(function: str, dice: random.Random) -> dict[str, Any]:
    if function == "thumbnail":
        return {"picture": picture(dice, 96), "size": dice.choice(("small", "medium"))}
    if function == "screening":
        texts = ("Lovely mug.", "GREAT", "Arrived broken, sadly!", "FIVE STARS!", "would buy again")
        return {"reviews": [{"author": dice.choice(CUSTOMERS), "text": dice.choice(texts)} for _ in range(5)]}
    if function == "report":
        return {"region": dice.choice(("north", "south")), "days": 300}
    return {"time": "2026-11-20T06:00:00Z"}


def _checkout(dice: random.Random, **changes: Any) -> ShopEvent:
    lines = [
        {"sku": f"A{dice.randrange(1, 400)}", "quantity": dice.randrange(1, 6)}
        for _ in range(dice.randrange(1, 7))
    ]
    cart = {
        "customer": dice.choice(CUSTOMERS),
        "lines": lines,
        "voucher": dice.choice((None, None, "WELCOME", "FRIENDS")),
        "address": {"street": "Main Street 1", "country": dice.choice(COUNTRIES)},
    }
    return ShopEvent("checkout", cart | changes, path="/checkout")


def _failing(dice: random.Random) -> list[ShopEvent]:
    """One event for each way to fail."""
    evil = {"reviews": [{"author": "mallory", "text": "A" * 34 + "?"}]}
    return [
        # a KeyError deep in a call: the address has no country
        _checkout(dice, address={"street": "Quay 7"}),
        _checkout(dice, address={"street": "Lane 3"}),
        # in the function that checkout calls
        _checkout(dice, lines=[{"sku": "Z1", "quantity": 1}]),
        _checkout(dice, voucher="SUMMER"),
        # asynchronous, over the card's limit: two retries, then the dead letters
        _checkout(dice, lines=[{"sku": "A399", "quantity": 50}]),
        # a slow regular expression
        ShopEvent("screening", evil),
        # a bad event
        ShopEvent("screening", {"reviews": [{"author": "nobody", "text": None}]}),
        # a memory hog
        ShopEvent("thumbnail", {"picture": picture(dice, 128), "scale": 40}),
        # not a picture: the error comes from a third-party library
        ShopEvent("thumbnail", {"picture": base64.b64encode(b"<html>not found</html>").decode()}),
        # a template that asks for what is not there
        ShopEvent("report", {"region": "west", "days": 30}),
    ]


def picture(dice: random.Random, side: int) -> str:
    """A PNG of random stripes, in base64; made by hand, so that the demo needs no imaging library itself."""
    rows = bytearray()
    for _ in range(side):
        rows.append(0)
        rows += bytes(dice.randrange(256) for _ in range(3)) * side

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(rows)))
        + chunk(b"IEND", b"")
    )
    return base64.b64encode(png).decode()
