"""The tests that a pattern may ask for: exact values and EventBridge's comparison operators."""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from relive_platform.triggers.patterns.errors import PatternError
from relive_platform.triggers.patterns.pattern import Test

__all__ = ["OPERATORS", "RESERVED", "equal_to"]

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ADDRESS: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
_MAX_WILDCARDS: Final = 32


def equal_to(value: Any, at: str) -> Test:
    """The very value. Numbers are compared as numbers, addresses as addresses, and true is not 1."""
    if value is None or isinstance(value, bool):
        return lambda given: given is value
    if isinstance(value, int | float):
        return lambda given: _is_number(given) and given == value
    if isinstance(value, str):
        address = _address(value)
        if address is None:
            return lambda given: isinstance(given, str) and given == value
        return lambda given: isinstance(given, str) and (given == value or _address(given) == address)
    raise PatternError(
        f"{value!r} is no value of JSON", where=at, hint="write a text, a number, true, false or null"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if not _ADDRESS.fullmatch(text):
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _text(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise PatternError(f"{value!r} is not a text", where=at, hint="write it in quotes")
    return value


def _of_text(test: Callable[[str], bool]) -> Test:
    return lambda given: isinstance(given, str) and test(given)


def _prefix(operand: Any, at: str) -> Test:
    if isinstance(operand, Mapping):
        low = _ignoring_case(operand, at)
        return _of_text(lambda given: given.lower().startswith(low))
    text = _text(operand, at)
    return _of_text(lambda given: given.startswith(text))


def _suffix(operand: Any, at: str) -> Test:
    if isinstance(operand, Mapping):
        low = _ignoring_case(operand, at)
        return _of_text(lambda given: given.lower().endswith(low))
    text = _text(operand, at)
    return _of_text(lambda given: given.endswith(text))


def _ignoring_case(operand: Mapping[str, Any], at: str) -> str:
    if list(operand) != ["equals-ignore-case"]:
        raise PatternError("only equals-ignore-case may stand here", where=at)
    return _text(operand["equals-ignore-case"], f"{at}.equals-ignore-case").lower()


def _equals_ignore_case(operand: Any, at: str) -> Test:
    low = _text(operand, at).lower()
    return _of_text(lambda given: given.lower() == low)


def _wildcard(operand: Any, at: str) -> Test:
    pieces = _pieces(_text(operand, at), at)
    return _of_text(lambda given: _like(given, pieces))


def _pieces(text: str, at: str) -> list[str]:
    """What stands between the stars; a backslash makes a star or a backslash ordinary."""
    pieces, rest = [""], iter(text)
    star = False
    for character in rest:
        if character == "*":
            if star:
                raise PatternError("two * stand together", where=at, hint="one means the same")
            pieces.append("")
        elif character == "\\":
            character = next(rest, "")
            if character not in ("*", "\\") or not character:
                raise PatternError("a backslash stands before * or another backslash only", where=at)
            pieces[-1] += character
            star = False
            continue
        else:
            pieces[-1] += character
        star = character == "*"
    if len(pieces) > _MAX_WILDCARDS + 1:
        raise PatternError(f"over {_MAX_WILDCARDS} wildcards in one text", where=at)
    return pieces


def _like(given: str, pieces: list[str]) -> bool:
    """Each piece as early as possible, the last one at the end: never slower than linear in text x pieces."""
    if len(pieces) == 1:
        return given == pieces[0]
    first, *middle, last = pieces
    if len(given) < len(first) + len(last) or not given.startswith(first) or not given.endswith(last):
        return False
    at, end = len(first), len(given) - len(last)
    for piece in middle:
        found = given.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _cidr(operand: Any, at: str) -> Test:
    text = _text(operand, at)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise PatternError(f"{text!r} is no block of addresses", where=at, hint="10.0.0.0/24") from error

    def inside(given: str) -> bool:
        address = _address(given)
        return address is not None and address.version == network.version and address in network

    return _of_text(inside)


def _exists(operand: Any, at: str) -> Test:
    if operand is not True:  # false is the compiler's
        raise PatternError("exists is true or false", where=at)
    return lambda given: True


def _numeric(operand: Any, at: str) -> Test:
    hint = 'write as in [">", 0, "<=", 5]'
    if not isinstance(operand, list | tuple) or len(operand) not in (2, 4):
        raise PatternError("numeric wants one comparison or two", where=at, hint=hint)
    wanted = []
    for sign, number in zip(operand[::2], operand[1::2], strict=True):
        if not isinstance(sign, str) or sign not in _COMPARISONS or not _is_number(number):
            raise PatternError(f"{sign!r} {number!r} is no comparison", where=at, hint=hint)
        wanted.append((_COMPARISONS[sign], number))
    if len(operand) == 4 and {sign[0] for sign in operand[::2]} != {"<", ">"}:
        raise PatternError("two comparisons are a range", where=at, hint=hint)
    return lambda given: _is_number(given) and all(compare(given, number) for compare, number in wanted)


def _anything_but(operand: Any, at: str) -> Test:
    if isinstance(operand, Mapping):
        tests = _negated(operand, at)
        return _of_text(lambda given: not any(test(given) for test in tests))
    values = list(operand) if isinstance(operand, list | tuple) else [operand]
    numbers = [value for value in values if _is_number(value)]
    if not values or (numbers and len(numbers) < len(values)) or not (numbers or _all_texts(values)):
        raise PatternError(
            "anything-but wants texts, or numbers", where=at, hint="not both, and at least one"
        )
    tests = [equal_to(value, at) for value in values]
    return lambda given: not any(test(given) for test in tests)


def _all_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


_NEGATED: Final[dict[str, Callable[[Any, str], Test]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
}


def _negated(operand: Mapping[str, Any], at: str) -> list[Test]:
    hint = f"use one of {', '.join(_NEGATED)}"
    if len(operand) != 1:
        raise PatternError(f"anything-but has one operator, not {len(operand)}", where=at, hint=hint)
    [(name, value)] = operand.items()
    if name not in _NEGATED:
        raise PatternError(f"anything-but has no operator {name!r}", where=at, hint=hint)
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values or (name in ("prefix", "suffix") and "" in values):
        raise PatternError(f"{name} of nothing fits everything", where=at, hint="name a text")
    return [_NEGATED[name](_text(one, at), at) for one in values]


OPERATORS: Final[dict[str, Callable[[Any, str], Test]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
}
RESERVED: Final = frozenset((*OPERATORS, "exactly", *_COMPARISONS))
"""Names that make `$or` a field like any other."""
