"""Outcomes as HTTP: status codes, headers, and the JSON of an error."""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, Result, StreamHead

from relive_platform.engine.dispatcher import SOCKETS_FULL
from relive_platform.engine.invocation import Outcome

__all__ = [
    "BadHeader",
    "Response",
    "error_response",
    "from_outcome",
    "from_stream",
    "json_response",
    "opening_lines",
    "problem",
    "status_of",
]


class Response(NamedTuple):
    """`head`: the header lines, each with its end, `content-length` among them if there may be a body."""

    status: int
    head: bytes
    body: bytes
    close: bool = False  # the connection is closed after it

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names and values."""
        lines = self.head.split(b"\r\n")[:-1]
        return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]


_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "trailers",
     "transfer-encoding", "upgrade", "content-length", "date", "x-relive-invocation-id", "traceparent")
)  # fmt: skip
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_JSON: Final = "content-type: application/json\r\n"
_BODILESS: Final = (204, 304)
_OK: Final = 200
_USUAL: Final = frozenset(
    ("text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8", "text/plain", "text/html")
)
"""Content types that need no check."""
_GENERIC: Final = {
    429: ("TooManyRequests", "the function is busy"),
    500: ("InternalError", "the function failed"),
    502: ("BadGateway", "the function gave no answer"),
    503: ("Cancelled", "the invocation was cancelled"),
    504: ("Timeout", "the function took too long"),
}
"""What a client is told of a failure that is none of its business."""
_FULL: Final = ("TooManyWebsockets", "the function has as many websockets open as it takes")


class BadHeader(ValueError):
    """A function gave a header that must not be sent."""


def status_of(record: InvocationRecord) -> int:
    """The HTTP status of a failed invocation."""
    by_status = {"rejected": 429, "timeout": 504, "crash": 502, "memory": 502, "cancelled": 503}
    by_kind = {"bad_result": 502, "bad_event": 400}
    kind = record.error.kind if record.error is not None else ""
    if kind == SOCKETS_FULL:
        return 503
    return by_status.get(record.status) or by_kind.get(kind, 500)


def from_outcome(outcome: Outcome, details: bool = True) -> Response:
    """What the client gets. A header that would split the response makes it a 502.

    `details`: the client is told the type and message of a failure.
    """
    record = outcome.record
    result = outcome.result
    if result is None or (record.status != "ok" and not (result.answered and record.status == "error")):
        return error_response(record, details=details, retry_after_s=outcome.retry_after_s)
    status = result.http_status
    body = result.body
    if status == _OK and not result.headers and result.content_type in _USUAL:  # nearly all
        head = f"{_ids(record)}content-type: {result.content_type}\r\ncontent-length: {len(body)}\r\n"
        return Response(status, head.encode("latin-1"), body)
    try:
        if not 200 <= status <= 599:
            raise BadHeader(f"the function answered with the HTTP status {status}")
        more = _own_lines(result)
    except BadHeader as error:
        failed = ErrorInfo(type="BadResponse", message=str(error), kind="bad_result")
        return error_response(record, failed, 502, details=details)
    if status in _BODILESS:
        return Response(status, f"{_ids(record)}{more}".encode("latin-1", "replace"), b"")
    head = f"{_ids(record)}{more}content-length: {len(body)}\r\n"
    return Response(status, head.encode("latin-1", "replace"), body)


def from_stream(record: InvocationRecord, head: StreamHead, details: bool) -> Response:
    """The head of an answer that comes in parts; if it cannot be sent, a whole response that says so."""
    try:
        more = _own_lines(head)
        if not 200 <= head.http_status <= 599:
            raise BadHeader(f"the function answered with the HTTP status {head.http_status}")
    except BadHeader as error:
        failed = ErrorInfo(type="BadResponse", message=str(error), kind="bad_result")
        return error_response(record, failed, 502, details=details)
    return Response(head.http_status, f"{_ids(record)}{more}".encode("latin-1", "replace"), b"")


def opening_lines(record: InvocationRecord, headers: list[tuple[str, str]]) -> bytes:
    """What the answer that opens a websocket says besides. Raises BadHeader."""
    own = [(name, value) for name, value in headers if not name.lower().startswith("sec-websocket-")]
    head = StreamHead(http_status=101, headers=own)
    return f"{_ids(record)}{_own_lines(head)}".encode("latin-1", "replace")


def _own_lines(result: Result | StreamHead) -> str:
    """The function's own headers, checked."""
    if not result.headers and result.content_type:  # nearly all
        return _type_line(result.content_type)
    lines = ""
    typed = False
    for name, value in result.headers:
        lower = name.lower()
        if lower in _HOP_BY_HOP:
            continue
        if not _NAME.fullmatch(lower):
            raise BadHeader("the function gave a header with an invalid name")
        if _BAD_VALUE.search(value):
            raise BadHeader(f"the header {lower!r} of the function holds control characters")
        typed = typed or lower == "content-type"
        lines += f"{lower}: {value}\r\n"
    return lines if typed or not result.content_type else lines + _type_line(result.content_type)


def _type_line(content_type: str) -> str:
    if not content_type.isprintable() and _BAD_VALUE.search(content_type):
        raise BadHeader("the content type of the function holds control characters")
    return f"content-type: {content_type}\r\n"


def _ids(record: InvocationRecord) -> str:
    return (
        f"x-relive-invocation-id: {record.invocation_id}\r\n"
        f"traceparent: 00-{record.trace_id}-{record.span_id}-{'01' if record.sampled else '00'}\r\n"
    )


def error_response(
    record: InvocationRecord,
    error: ErrorInfo | None = None,
    status: int = 0,
    *,
    details: bool = True,
    retry_after_s: int = 0,
) -> Response:
    """The JSON error of a failed invocation: what, which, and how to look at it."""
    error = error or record.error or ErrorInfo(type="Error", message=record.status)
    status = status or status_of(record)
    kind, message = error.type, error.message
    if not details and error.kind != "bad_event":  # there the client reads of its own event only
        kind, message = _FULL if error.kind == SOCKETS_FULL else _GENERIC.get(status, _GENERIC[500])
    detail = {
        "type": kind,
        "message": message,
        "invocation_id": record.invocation_id,
        "trace_id": record.trace_id,
    }
    if record.failed and details:
        detail["hint"] = f"relive failure {record.invocation_id}"
    retry = f"retry-after: {retry_after_s}\r\n" if retry_after_s else ""
    return json_response(status, {"error": detail}, _ids(record) + retry)


def json_response(status: int, value: object, more: str = "", *, close: bool = False) -> Response:
    """`value` as JSON; `more`: further header lines, each with its end."""
    body = json.dumps(value).encode()
    head = f"{more}{_JSON}content-length: {len(body)}\r\n"
    return Response(status, head.encode("latin-1"), body, close)


def problem(status: int, name: str, message: str, more: str = "", *, close: bool = False) -> Response:
    """A JSON error without an invocation: unknown path, bad request, limit of the gateway."""
    return json_response(status, {"error": {"type": name, "message": message}}, more, close=close)
