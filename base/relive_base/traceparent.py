"""W3C Trace Context: reading and writing the `traceparent` header."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["TraceParent", "format_traceparent", "parse_traceparent"]

_PATTERN = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ZERO_TRACE = "0" * 32
_ZERO_SPAN = "0" * 16


@dataclass(frozen=True, slots=True)
class TraceParent:
    """Where a trace comes from: 32 hex digits, 16 hex digits, and whether the caller samples it."""

    trace_id: str
    span_id: str
    sampled: bool = True


def parse_traceparent(header: str) -> TraceParent | None:
    """The parent a `traceparent` names, or None if the header is absent or not valid.

    An invalid header starts a new trace, as the W3C recommendation asks; it is never an error.
    """
    match = _PATTERN.fullmatch(header.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or trace_id == _ZERO_TRACE or span_id == _ZERO_SPAN:
        return None
    if version == "00" and rest:
        return None
    return TraceParent(trace_id, span_id, bool(int(flags, 16) & 1))


def format_traceparent(trace_id: str, span_id: str, *, sampled: bool = True) -> str:
    """`00-<trace id>-<span id>-<flags>`."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"
