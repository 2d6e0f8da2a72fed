"""Program text from the bytes of a file, as Python reads it: PEP 263, byte order marks, ends of lines."""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Final

__all__ = ["decode_source", "encode_source", "source_encoding", "split_source"]

_COOKIE: Final = rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]{1,40})"
_BLANK: Final = rb"[ \t\f]*(?:#[^\r\n]*)?$"
_LINES: Final = rb"\r\n|\r|\n"
_HEAD_BYTES: Final = 2_000


def source_encoding(data: bytes) -> str:
    """The name of the encoding that a source file declares, "utf-8" without one or if Python has none of
    that name; "utf-8-sig" if it begins with a byte order mark."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    for line in re.split(_LINES, data[:_HEAD_BYTES], maxsplit=2)[:2]:
        found = re.match(_COOKIE, line)
        if found is not None:
            return _known(found[1].decode("ascii", "replace"))
        if re.match(_BLANK, line) is None:
            break  # only a first line of nothing but a comment lets the second one say it
    return "utf-8"


def decode_source(data: bytes) -> str:
    """The text, ends of lines as they are. What its encoding cannot decode is U+FFFD, as is not UTF-8."""
    return data.decode(source_encoding(data), "replace")


def encode_source(text: str, like: bytes) -> bytes:
    """`text` in the encoding of `like`, whose text it is a changed copy of."""
    encoding = source_encoding(like)
    return text.encode(encoding, "backslashreplace")


def split_source(text: str) -> list[str]:
    """The lines without their ends. To Python a form feed and its like end none."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


@cache
def _names() -> frozenset[str]:
    """Of encodings that Python has. No other name is looked up: a codec that the user has registered is
    code of the user's."""
    from encodings.aliases import aliases

    return frozenset(aliases) | frozenset(aliases.values())


def _known(name: str) -> str:
    normal = name.lower().replace("-", "_").replace(".", "_")
    if normal not in _names():
        return "utf-8"
    try:
        "".encode(name)
    except LookupError:  # no encoding of text
        return "utf-8"
    return name
