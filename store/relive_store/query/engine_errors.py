"""ClickHouse's error codes as our errors."""

from __future__ import annotations

import re

from relive_store.errors import (
    QueryCancelled,
    QueryError,
    QueryLimit,
    QueryTimeout,
    StoreError,
    StoreUnavailable,
)

__all__ = ["from_code", "from_text"]

_CODE = re.compile(r"Code:\s*(\d+)\.\s*(?:DB::Exception:\s*)?(.*)", re.DOTALL)
_VERSION = re.compile(r"\s*\(version [^()]*\)")
_STACK = re.compile(r"\s*Stack trace:.*", re.DOTALL)
_MESSAGE_LIMIT = 2_000

# Numbers from ClickHouse's src/Common/ErrorCodes.cpp.
_TIMEOUTS = {159: "TIMEOUT_EXCEEDED", 160: "TOO_SLOW"}
_CANCELLED = {
    394: "QUERY_WAS_CANCELLED",
    734: "QUERY_WAS_CANCELLED_BY_CLIENT",
    735: "QUERY_WAS_CANCELLED_BY_CLIENT",
}
_LIMITS = {
    158: "TOO_MANY_ROWS",
    241: "MEMORY_LIMIT_EXCEEDED",
    307: "TOO_MANY_BYTES",
    396: "TOO_MANY_ROWS_OR_BYTES",
}
_PASSING = {
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    236: "ABORTED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    516: "AUTHENTICATION_FAILED",
}


def from_code(code: int, message: str) -> StoreError:
    """The error for one of ClickHouse's codes."""
    text = (
        _VERSION.sub("", _STACK.sub("", message))
        .strip()
        .removeprefix("DB::Exception:")
        .strip()[:_MESSAGE_LIMIT]
    )
    if code in _TIMEOUTS:
        return QueryTimeout(
            f"the query took too long: {text}", hint="narrow its time range, or raise its timeout"
        )
    if code in _CANCELLED:
        return QueryCancelled("the query was cancelled")
    if code in _LIMITS:
        return QueryLimit(f"the query is over a limit: {text}", hint="add LIMIT or a narrower WHERE")
    if code in _PASSING:
        return StoreUnavailable(f"the store cannot do this now: {text}")
    return QueryError(f"{text} (code {code})")


def from_text(text: str) -> StoreError:
    """The error in the text of an engine's exception."""
    match = _CODE.search(text)
    if match is None:
        return QueryError(text[:_MESSAGE_LIMIT])
    code, message = int(match.group(1)), match.group(2)
    nested = _CODE.match(message)  # the engine repeats itself when it wraps
    return from_code(code, nested.group(2) if nested else message)
