"""The headers that `relive export` sends along, from a file or the environment. They are secrets: no error
repeats a value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from relive_base.errors import UsageError

__all__ = ["headers_of_lines", "headers_of_variable"]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_HINT: Final = "write one NAME=VALUE a line; lines that begin with # are comments"


def headers_of_lines(lines: Iterable[str], source: str) -> dict[str, str]:
    """Of a file with one NAME=VALUE a line. Raises UsageError, which names the line."""
    found = {}
    try:
        for number, line in enumerate(lines, 1):
            text = line.removeprefix("\ufeff").strip()
            if text and not text.startswith("#"):
                name, value = _pair(text, f"{source}, line {number}", _HINT)
                found[name] = value
    except UnicodeDecodeError:
        raise UsageError("the headers are not UTF-8 text", where=source, hint=_HINT) from None
    return found


def headers_of_variable(text: str, name: str) -> dict[str, str]:
    """Of NAME=VALUE,NAME=VALUE. Raises UsageError, which names the pair by its number."""
    parts = [(number, part.strip()) for number, part in enumerate(text.split(","), 1)]
    return dict(_pair(part, f"{name}, pair {n}", "write NAME=VALUE,NAME=VALUE") for n, part in parts if part)


def _pair(text: str, where: str, hint: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise UsageError("a header is not NAME=VALUE", where=where, hint=hint)
    if not _NAME.fullmatch(name):
        raise UsageError("that is not a header name", where=where, hint=hint)
    if not _VALUE.fullmatch(value):
        raise UsageError(f"the value of {name} is not printable ASCII", where=where, hint=hint)
    return name, value
