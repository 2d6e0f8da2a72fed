"""The route of a request: the trigger's, else its path without numbers and ids."""

from __future__ import annotations

import re
from typing import Final

from relive_base.wire.messages import HttpRequest

__all__ = ["path_shape", "route_of"]

_SEGMENTS: Final = 8
_SEGMENT_CHARS: Final = 40
_API_VERSION: Final = re.compile(r"v\d{1,2}", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z_.~-]*(?:\d+[A-Za-z_.~-]*)?", re.ASCII)
_HEX: Final = re.compile(r"(?=.*\d)[0-9a-fA-F]{6,}", re.ASCII)
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_ANY_PATH: Final = "+}"


def route_of(http: HttpRequest | None) -> str:
    """ "GET /orders/{id}"; if the trigger names no route, or one for all paths, "GET /orders/#"."""
    if http is None:
        return ""
    if http.route and _ANY_PATH not in http.route:
        return f"{http.method} {http.route}"
    return f"{http.method} {path_shape(http.path)}"


def path_shape(path: str) -> str:
    """`path` without numbers and ids: each stands as "#". Of a long path, its beginning."""
    parts = path.split("/", _SEGMENTS + 1)
    shaped = [_segment(part) for part in parts[: _SEGMENTS + 1]]
    if len(parts) > _SEGMENTS + 1:
        shaped.append("…")
    return "/".join(shaped)


def _segment(text: str) -> str:
    if _API_VERSION.fullmatch(text):
        return text
    if len(text) > _SEGMENT_CHARS or not _WORD.fullmatch(text) or _HEX.fullmatch(text):
        return "#"  # an id, a date, an address, or what somebody has typed
    return _DIGITS.sub("#", text)
