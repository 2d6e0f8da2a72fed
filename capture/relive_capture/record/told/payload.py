"""The error that a program in any language tells, in the form that AWS Lambda's runtimes have: `errorType`,
`errorMessage`, and `stackTrace` (a list of texts or of places, or one text) or `trace`, as Node has it."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from relive_capture.record.told.stacks import ToldFrame

__all__ = ["Told", "read_payload"]

_MAX_BYTES: Final = 262_144  # the whole payload; what is longer is cut
_MAX_TYPE: Final = 200
_MAX_MESSAGE: Final = 2_000
_MAX_LINES: Final = 2_000
_MAX_CAUSES: Final = 10
_UNKNOWN: Final = "Error"


class Told(msgspec.Struct):
    """One error as it was told. `stack` is text; "" if there is none. `frames`: if they are known without it,
    by what `seen_by` names."""

    type: str
    message: str = ""
    stack: str = ""
    relation: str = ""  # to the one before it: "cause"
    details: list[tuple[str, str]] = []
    frames: list[ToldFrame] = []
    seen_by: str = ""


def read_payload(body: bytes, error_type: str = "", cause: str = "") -> list[Told]:
    """The error, then what it was caused by. `error_type` and `cause`: the headers
    `Lambda-Runtime-Function-Error-Type` and `-XRay-Error-Cause`, for what the body does not say. Never
    raises: what is not of that form is the message."""
    try:
        found = json.loads(body[: _MAX_BYTES + 1]) if len(body) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        text = body[:_MAX_MESSAGE].decode("utf-8", "backslashreplace")
        return [Told(error_type[:_MAX_TYPE] or _UNKNOWN, text, _x_ray_stack(cause))]
    chain: list[Told] = []
    link: Any = found
    while isinstance(link, dict) and len(chain) < _MAX_CAUSES:
        chain.append(_one(link, "cause" if chain else ""))
        link = link.get("cause")
    first = chain[0]
    first.type = first.type or error_type[:_MAX_TYPE] or _UNKNOWN
    first.stack = first.stack or _x_ray_stack(cause)
    for told in chain[1:]:
        told.type = told.type or _UNKNOWN
    return chain


def _one(found: dict[str, Any], relation: str) -> Told:
    return Told(
        _text(found.get("errorType"))[:_MAX_TYPE],
        _text(found.get("errorMessage"))[:_MAX_MESSAGE],
        _stack(found.get("stackTrace") or found.get("trace") or ()),
        relation,
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _stack(value: object) -> str:
    """One text: of a list of texts its lines, of a list of places lines such as Go prints them."""
    if isinstance(value, str):
        return value
    lines: list[str] = []
    for item in value[:_MAX_LINES] if isinstance(value, list) else ():
        if isinstance(item, str):
            lines.append(item.removesuffix("\n"))
        elif isinstance(item, dict):
            label, path, line = (_text(item.get(name)) for name in ("label", "path", "line"))
            lines.append(f"    at {label or '?'} ({path}:{line}:1)")
    return "\n".join(lines)


def _x_ray_stack(cause: str) -> str:
    """Of an X-Ray error cause the first exception's."""
    try:
        exceptions = json.loads(cause)["exceptions"] if cause else []
        return _stack(exceptions[0].get("stack")) if exceptions else ""
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
