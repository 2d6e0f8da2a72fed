"""The last look at what a worker or a program gave for a scene: no text in it goes to the disk unread."""

from __future__ import annotations

from typing import Final

import msgspec
from relive_base.redaction.redactor import Redactor
from relive_base.source_text import decode_source, encode_source

__all__ = ["clean_member"]

_MAX_DEPTH: Final = 200
_COLUMNS: Final = (".u32", ".u64")


class _TooDeep(Exception):
    """The JSON is nested deeper than anything that Relive writes."""


def clean_member(name: str, data: bytes, redactor: Redactor) -> bytes:
    """A member of a scene without secrets; the same bytes if there was none. JSON stays JSON, program text
    keeps its lines, columns of numbers are not looked at."""
    if name.endswith(_COLUMNS):
        return data
    if name.startswith("source/"):
        text = decode_source(data)
        clean = redactor.source(text)
        return data if clean == text else encode_source(clean, data)
    if name.endswith(".json"):
        return _clean_json(data, redactor)
    text = data.decode("utf-8", "surrogateescape")
    clean = redactor.text(text)
    return data if clean == text else clean.encode("utf-8", "surrogateescape")


def _clean_json(data: bytes, redactor: Redactor) -> bytes:
    try:
        value = msgspec.json.decode(data)
        clean = _swept(value, redactor, 0)
        return data if clean == value else msgspec.json.encode(clean)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, _TooDeep):
        text = data.decode("utf-8", "surrogateescape")
        return redactor.text(text).encode("utf-8", "surrogateescape")


def _swept(value: object, redactor: Redactor, depth: int) -> object:
    """A copy in which every string has been looked at. By form only: the names in these files are those of
    Relive's own fields, and what goes under a name of the user's has been judged in the worker."""
    if isinstance(value, str):
        return redactor.text(value)
    if depth > _MAX_DEPTH:
        raise _TooDeep
    if isinstance(value, list):
        return [_swept(item, redactor, depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            redactor.text(key): _source_lines(item, redactor)
            if key == "source" and isinstance(item, list)
            else _swept(item, redactor, depth + 1)
            for key, item in value.items()
        }
    return value


def _source_lines(lines: list[object], redactor: Redactor) -> list[object]:
    """Lines of a program around a frame: only their literals are secrets."""
    return [redactor.source(line) if isinstance(line, str) else line for line in lines]
