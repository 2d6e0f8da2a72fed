"""Outcomes as HTTP: status codes, headers, and the JSON of an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from relive_base.frames import ErrorInfo, Result
from relive_base.records import InvocationRecord

from relive_platform.pool.invocation import Outcome

__all__ = ["HeaderList", "Response", "error_response", "from_outcome", "problem", "status_of"]

HeaderList = list[tuple[bytes, bytes]]
Response = tuple[int, HeaderList, bytes]

_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "trailers",
     "transfer-encoding", "upgrade", "content-length", "date", "x-relive-invocation-id", "traceparent")
)  # fmt: skip
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_JSON: Final = (b"content-type", b"application/json")
_BODILESS: Final = (204, 304)


class _BadHeader(ValueError):
    """A function gave a header that must not be sent."""


def status_of(record: InvocationRecord) -> int:
    """The HTTP status of a failed invocation."""
    by_status = {"rejected": 429, "timeout": 504, "crash": 502, "memory": 502}
    by_kind = {"bad_result": 502, "bad_event": 400}
    kind = record.error.kind if record.error is not None else ""
    return by_status.get(record.status) or by_kind.get(kind, 500)


def from_outcome(outcome: Outcome) -> Response:
    """What the client gets. A header that would split the response makes it a 502."""
    record = outcome.record
    result = outcome.result
    if record.status != "ok" or result is None:
        return error_response(record)
    try:
        headers = _headers(record, result)
        status = result.http_status
        if not 200 <= status <= 599:
            raise _BadHeader(f"the function answered with the HTTP status {status}")
    except _BadHeader as error:
        failed = ErrorInfo(type="BadResponse", message=str(error), kind="bad_result")
        return error_response(record, failed, 502)
    if status in _BODILESS:
        return status, headers, b""
    headers.append((b"content-length", b"%d" % len(result.body)))
    return status, headers, result.body


def _headers(record: InvocationRecord, result: Result) -> HeaderList:
    headers = _ids(record)
    typed = False
    for name, value in result.headers:
        lower = name.lower()
        if lower in _HOP_BY_HOP:
            continue
        if not _NAME.fullmatch(lower):
            raise _BadHeader("the function gave a header with an invalid name")
        if _BAD_VALUE.search(value):
            raise _BadHeader(f"the header {lower!r} of the function holds control characters")
        typed = typed or lower == "content-type"
        headers.append((lower.encode("ascii"), value.encode("latin-1", "replace")))
    if not typed and result.content_type:
        if _BAD_VALUE.search(result.content_type):
            raise _BadHeader("the content type of the function holds control characters")
        headers.append((b"content-type", result.content_type.encode("latin-1", "replace")))
    return headers


def _ids(record: InvocationRecord) -> HeaderList:
    return [
        (b"x-relive-invocation-id", record.invocation_id.encode()),
        (b"traceparent", f"00-{record.trace_id}-{record.span_id}-01".encode()),
    ]


def error_response(record: InvocationRecord, error: ErrorInfo | None = None, status: int = 0) -> Response:
    """The JSON error of a failed invocation: what, which, and how to look at it."""
    error = error or record.error or ErrorInfo(type="Error", message=record.status)
    detail = {
        "type": error.type,
        "message": error.message,
        "invocation_id": record.invocation_id,
        "trace_id": record.trace_id,
    }
    if record.failed:
        detail["hint"] = f"relive failure {record.invocation_id}"
    body = json.dumps({"error": detail}).encode()
    headers = [*_ids(record), _JSON, (b"content-length", b"%d" % len(body))]
    status = status or status_of(record)
    if status == 429:
        headers.append((b"retry-after", b"1"))
    return status, headers, body


def problem(
    status: int, name: str, message: str, *, close: bool = False, more: Iterable[tuple[bytes, bytes]] = ()
) -> Response:
    """A JSON error without an invocation: unknown path, bad request, limit of the gateway."""
    body = json.dumps({"error": {"type": name, "message": message}}).encode()
    headers = [_JSON, (b"content-length", b"%d" % len(body)), *more]
    if close:
        headers.append((b"connection", b"close"))
    return status, headers, body
