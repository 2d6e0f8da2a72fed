"""Which of the values that a failing line read is the bad one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from relive_runtime.travel.messages import Change

__all__ = ["Complaint", "suspicion", "worst"]

_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_ZEROS: Final = frozenset(("0", "0.0", "-0.0", "Decimal('0')", "Fraction(0, 1)", "0j"))
_EMPTY: Final = frozenset(("[]", "{}", "()", "set()", "''", "b''"))
_ODD: Final = frozenset(("nan", "inf", "-inf"))


class Complaint:
    """What an exception says. `keys`: its plain arguments as Python shows them."""

    def __init__(self, kind: str, message: str, keys: Sequence[str] = ()) -> None:
        self.kind = kind
        self.message = message
        self.keys = tuple(keys)


def worst(changes: Sequence[tuple[str, Change | None]], complaint: Complaint | None) -> int | None:
    """The index of the most suspicious of (expression, its last change); the first of equals. None: none has a value."""
    found: list[tuple[int, int]] = []
    for index, (expression, change) in enumerate(changes):
        if change is not None and change.bound:
            found.append((suspicion(expression, change, complaint), -index))
    return -max(found)[1] if found else None


def suspicion(expression: str, change: Change, complaint: Complaint | None) -> int:
    """How well a value explains a complaint; more is worse."""
    text, kind = change.text, change.type
    points = 8 if kind == "NoneType" or text in _ODD else 0
    points += 3 if text in _EMPTY else 0
    points += 1 if not expression.isidentifier() else 0  # the part says more than the whole
    points -= 4 if kind in ("module", "function", "type", "builtin_function_or_method", "method") else 0
    if complaint is None:
        return points
    message = complaint.message
    if complaint.kind in ("KeyError", "IndexError", "LookupError") and text in complaint.keys:
        points += 10
    if complaint.kind == "ZeroDivisionError" or "division" in message:
        points += 10 if text in _ZEROS else 0
    if complaint.kind == "IndexError" and kind == "int":
        points += 4
    if "offset-naive" in message and kind in ("datetime", "time"):
        points += 6 if "tzinfo" not in text else 0
    plain = text.strip("'\"")
    if kind == "str" and _NUMBER.fullmatch(plain) and complaint.kind == "TypeError":
        points += 4  # a number that was left as text
    if (
        kind not in ("NoneType", "bool")
        and plain
        and (text in message or (len(plain) > 1 and plain in message))
    ):
        points += 6
    if f"'{kind}'" in message or f"not {kind}" in message or f'"{kind}"' in message:
        points += 5
    if f"concatenate {kind}" in message:
        points += 5
    if f"not {kind}" in message or f'(not "{kind}")' in message or f"got {kind}" in message:
        points += 2
    return points
