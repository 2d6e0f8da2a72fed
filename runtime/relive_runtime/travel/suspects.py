"""Which of the values that a failing line read is the bad one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from relive_runtime.travel.messages import Change

__all__ = ["CODE", "Complaint", "suspicion", "worst"]

_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_ZEROS: Final = frozenset(("0", "0.0", "-0.0", "Decimal('0')", "Fraction(0, 1)", "0j"))
_EMPTY: Final = frozenset(("[]", "{}", "()", "set()", "''", "b''"))
CODE: Final = frozenset(("module", "function", "type", "builtin_function_or_method", "method"))
"""Types of what is no data."""
_ODD: Final = frozenset(("nan", "inf", "-inf"))


class Complaint:
    """What an exception says. `keys`: its plain arguments as Python shows them."""

    def __init__(self, kind: str, message: str, keys: Sequence[str] = ()) -> None:
        self.kind = kind
        self.message = message
        self.keys = tuple(keys)


def worst(changes: Sequence[tuple[str, Change | None]], complaint: Complaint | None) -> int | None:
    """The index of the most suspicious of (expression, its last change); the first of equals. None: none has
    a value."""
    found: list[tuple[int, int]] = []
    for index, (expression, change) in enumerate(changes):
        if change is not None and change.bound:
            found.append((suspicion(expression, change, complaint), -index))
    return -max(found)[1] if found else None


def suspicion(expression: str, change: Change, complaint: Complaint | None) -> int:
    """How well a value explains a complaint; more is worse."""
    points = 8 if change.type == "NoneType" or change.text in _ODD else 0
    points += 3 if change.text in _EMPTY else 0
    points += 1 if not expression.isidentifier() else 0  # the part says more than the whole
    points -= 4 if change.type in CODE else 0
    return (
        points if complaint is None else points + _by_kind(change, complaint) + _by_message(change, complaint)
    )


def _by_kind(change: Change, complaint: Complaint) -> int:
    """By what exceptions of a kind complain of."""
    text, kind = change.text, change.type
    points = 0
    if complaint.kind in ("KeyError", "IndexError", "LookupError") and text in complaint.keys:
        points += 10
    if complaint.kind == "ZeroDivisionError" or "division" in complaint.message:
        points += 10 if text in _ZEROS else 0
    if complaint.kind == "IndexError" and kind == "int":
        points += 4
    if complaint.kind == "TypeError" and kind == "str" and _NUMBER.fullmatch(text.strip("'\"")):
        points += 4  # a number that was left as text
    return points


def _by_message(change: Change, complaint: Complaint) -> int:
    """By what the message names: the value, or its type."""
    text, kind, message = change.text, change.type, complaint.message
    points = 0
    if "offset-naive" in message and kind in ("datetime", "time") and "tzinfo" not in text:
        points += 6
    plain = text.strip("'\"")
    if (
        kind not in ("NoneType", "bool")
        and plain
        and (text in message or (len(plain) > 1 and plain in message))
    ):
        points += 6
    if any(form in message for form in (f"'{kind}'", f"not {kind}", f'"{kind}"')):
        points += 5
    if f"concatenate {kind}" in message:
        points += 5
    if any(form in message for form in (f"not {kind}", f'(not "{kind}")', f"got {kind}")):
        points += 2
    return points
