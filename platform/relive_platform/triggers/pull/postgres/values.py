"""PostgreSQL's texts as values of JSON. Exact: a numeric is a text, as no number of JSON keeps its digits."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

__all__ = ["BUILT_IN", "Kind", "array_of", "value_of"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type is read: as `scalar`, or as an array of it with `delimiter` between its elements."""

    scalar: str
    array: bool = False
    delimiter: str = ","


_SCALARS: Final = {
    16: "bool",
    17: "bytes",
    20: "int",
    21: "int",
    23: "int",
    26: "int",
    114: "json",
    700: "float",
    701: "float",
    1114: "timestamp",
    1184: "timestamptz",
    3802: "json",
}
BUILT_IN: Final[Mapping[int, str]] = _SCALARS
_MOST_DIGITS: Final = 20  # of an int8
_MAX_DEPTH: Final = 6  # PostgreSQL's MAXDIM


def value_of(text: bytes, kind: Kind) -> Any:
    """What a column's text means. What does not look like its type stays a text."""
    shown = text.decode("utf-8", "backslashreplace")
    if kind.array:
        found = array_of(shown, kind.delimiter, lambda item: _scalar(item, kind.scalar))
        return shown if found is None else found
    return _scalar(shown, kind.scalar)


def _scalar(text: str, kind: str) -> Any:
    reads = _READS.get(kind)
    if reads is None:
        return text
    try:
        return reads(text)
    except (ValueError, ArithmeticError):
        return text


def _int(text: str) -> Any:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _float(text: str) -> Any:
    found = float(text)
    return found if found - found == 0 else text  # JSON has neither NaN nor Infinity


def _bool(text: str) -> Any:
    return {"t": True, "f": False}.get(text, text)


def _bytes(text: str) -> Any:
    return base64.b64encode(bytes.fromhex(text[2:])).decode() if text.startswith("\\x") else text


def _json(text: str) -> Any:
    return msgspec.Raw(text.encode())


def _timestamp(text: str) -> Any:
    return text.replace(" ", "T", 1) if text[:1].isdigit() and " BC" not in text else text


def _timestamptz(text: str) -> Any:
    found = _timestamp(text)
    return f"{found[:-3]}Z" if found.endswith("+00") and "T" in found else found


_READS: Final[Mapping[str, Callable[[str], Any]]] = {
    "bool": _bool,
    "bytes": _bytes,
    "float": _float,
    "int": _int,
    "json": _json,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
}


def array_of(text: str, delimiter: str, item: Callable[[str], Any]) -> list[Any] | None:
    """The lists of an array's text, such as {1,2}, [0:1]={a,b} or {{"x y",NULL}}. None if it is none."""
    if text.startswith("["):  # bounds other than from 1
        text = text.partition("=")[2]
    reader = _ArrayReader(text, delimiter, item)
    try:
        found = reader.array(0)
    except (IndexError, ValueError):
        return None
    return found if reader.at == len(text) else None


class _ArrayReader:
    def __init__(self, text: str, delimiter: str, item: Callable[[str], Any]) -> None:
        self._text = text
        self._delimiter = delimiter
        self._item = item
        self.at = 0

    def array(self, depth: int) -> list[Any]:
        if self._text[self.at] != "{" or depth >= _MAX_DEPTH:
            raise ValueError("no array")
        self.at += 1
        found: list[Any] = []
        if self._text[self.at] == "}":
            self.at += 1
            return found
        while True:
            found.append(self._element(depth))
            sign = self._text[self.at]
            self.at += 1
            if sign == "}":
                return found
            if sign != self._delimiter:
                raise ValueError("no delimiter")

    def _element(self, depth: int) -> Any:
        sign = self._text[self.at]
        if sign == "{":
            return self.array(depth + 1)
        if sign == '"':
            return self._item(self._quoted())
        begin = self.at
        while self._text[self.at] not in (self._delimiter, "}"):
            self.at += 2 if self._text[self.at] == "\\" else 1
        plain = self._text[begin : self.at]
        return None if plain.upper() == "NULL" else self._item(plain.replace("\\", ""))

    def _quoted(self) -> str:
        self.at += 1
        parts: list[str] = []
        begin = self.at
        while (sign := self._text[self.at]) != '"':
            if sign == "\\":
                parts.append(self._text[begin : self.at])
                self.at += 1
                begin = self.at
            self.at += 1
        parts.append(self._text[begin : self.at])
        self.at += 1
        return "".join(parts)
