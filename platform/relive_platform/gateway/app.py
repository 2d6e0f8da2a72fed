"""The gateway's ASGI application: an HTTP request becomes an event, an outcome becomes the response."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from relive_base.errors import ReliveError
from relive_base.frames import HttpRequest
from relive_base.traceparent import parse_traceparent

from relive_platform.dispatcher.dispatcher import Dispatcher
from relive_platform.dispatcher.errors import Stopping, UnknownFunction
from relive_platform.dispatcher.publisher import Accepted, Publisher
from relive_platform.gateway.responses import HeaderList, Response, from_outcome, problem
from relive_platform.gateway.routes import MethodNotAllowed, Routes, Target
from relive_platform.pool.invocation import Callback, InvokeRequest, Outcome
from relive_platform.queue.model import Conflict, DiskFull, QueueBusy, QueueFull
from relive_platform.worker.events import BadEvent, decode_event

__all__ = ["Gateway", "GatewayLimits", "Message", "Receive"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Respond = Callable[[Response], None]

_log = logging.getLogger(__name__)
_SPECIAL: Final = frozenset(
    (b"traceparent", b"tracestate", b"content-length", b"transfer-encoding", b"prefer",
     b"x-amz-invocation-type", b"host")
)  # fmt: skip
_NAMES_KEPT: Final = 1_024
_LARGE_JSON_BYTES: Final = 65_536  # from here on a thread reads it
_QUEUE_ERRORS: Final = ((Conflict, 409), (QueueFull, 429), (QueueBusy, 429), (DiskFull, 507))


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Sizes in bytes."""

    body_bytes: int = 6 * 1_048_576
    async_body_bytes: int = 1_048_576


class _TooLarge(Exception):
    """The body is over the limit."""


class _Disconnected(Exception):
    """The client has gone before its request was complete."""


@dataclass(slots=True)
class _Head:
    """What the gateway itself needs of a request's headers."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    special: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def asynchronous(self) -> bool:
        special = self.special
        return b"respond-async" in special.get(b"prefer", b"") or (
            special.get(b"x-amz-invocation-type", b"").lower() == b"event"
        )


class Gateway:
    """Raw ASGI, no framework: it is on the path of every request."""

    def __init__(
        self, dispatcher: Dispatcher, publish: Publisher, limits: GatewayLimits | None = None
    ) -> None:
        self.routes = Routes()
        self._dispatcher = dispatcher
        self._publish = publish
        self._limits = limits or GatewayLimits()
        self._names: dict[bytes, str] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, by ASGI: works below any ASGI server."""
        if scope["type"] != "http":
            return
        response = await self.handle(scope, receive)
        if response is not None:
            status, headers, body = response
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def handle(self, scope: Message, receive: Receive) -> Response | None:
        """One request whose body may still be on its way. None where the client has gone."""
        accepted_ns = time.time_ns()
        try:
            target, head = self._target(scope)
            limit = self._limits.async_body_bytes if head.asynchronous else self._limits.body_bytes
            body = await _read_body(receive, limit) if _has_body(head, limit) else b""
            request = _request(scope, target, head, body, accepted_ns)
            if head.asynchronous:
                return await self._enqueue(request, head)
            return _answer(await self._dispatcher.submit(request))
        except _Disconnected:
            return None
        except Exception as error:
            return _refusal(error)

    def begin(self, scope: Message, body: bytes, respond: Respond) -> bool:
        """A request that is complete: `respond` is called with the answer, without a task in between.

        False where it has to be `handle` (an asynchronous event, which waits for a commit).
        """
        try:
            target, head = self._target(scope)
            if head.asynchronous:
                return False
            if len(body) > self._limits.body_bytes:
                raise _TooLarge(self._limits.body_bytes)
            request = _request(scope, target, head, body, time.time_ns())
            self._dispatcher.begin(request, Callback(lambda outcome: respond(_answer(outcome))))
        except Exception as error:
            respond(_refusal(error))
        return True

    def _target(self, scope: Message) -> tuple[Target, _Head]:
        target = self.routes.find(scope["method"], scope["path"])
        if target is None:
            raise UnknownFunction(scope["path"])
        if target.function not in self._dispatcher.pools:
            raise UnknownFunction(target.function)
        return target, self._head(scope["headers"])

    def _head(self, headers: HeaderList) -> _Head:
        names = self._names
        head = _Head()
        add = head.pairs.append
        for name, value in headers:
            text = names.get(name)
            if text is None:
                text = name.decode("latin-1")
                if len(names) < _NAMES_KEPT:
                    names[name] = text
            add((text, value.decode("latin-1")))
            if name in _SPECIAL:
                head.special[name] = value
        return head

    async def _enqueue(self, request: InvokeRequest, head: _Head) -> Response:
        http = request.http
        if http is not None and b"x-amz-invocation-type" in head.special:
            # Lambda's Invoke: the body is the event, not the request.
            request.event, request.http = http.body, None
            if not await _is_json(http.body):
                # No retry could help: it fails now, with a scene that keeps its bytes.
                return _answer(await self._dispatcher.submit(request))
        key = next((value for name, value in head.pairs if name == "idempotency-key"), "")
        accepted = await self._publish(request, key)
        body = json.dumps(_acceptance(accepted)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-relive-invocation-id", accepted.invocation_id.encode()),
            (b"traceparent", f"00-{accepted.trace_id}-{accepted.span_id}-01".encode()),
            (b"preference-applied", b"respond-async"),
        ]
        return 202, headers, body


def _acceptance(accepted: Accepted) -> dict[str, object]:
    """What the sender is told; of a duplicate also what became of the first."""
    told: dict[str, object] = {
        "event_id": accepted.event_id,
        "invocation_id": accepted.invocation_id,
        "trace_id": accepted.trace_id,
        "duplicate": accepted.duplicate,
        "state": accepted.state,
    }
    if accepted.result is not None:
        try:
            told["result"] = json.loads(accepted.result)
        except ValueError:  # an HTTP function may have answered anything
            told["result"] = accepted.result.decode("utf-8", "replace")
    return told


async def _is_json(body: bytes) -> bool:
    try:
        if len(body) > _LARGE_JSON_BYTES:
            await asyncio.to_thread(decode_event, body)
        else:
            decode_event(body)
    except BadEvent:
        return False
    return True


def _has_body(head: _Head, limit: int) -> bool:
    length = head.special.get(b"content-length")
    if length is None:
        return b"transfer-encoding" in head.special
    if int(length) > limit:
        raise _TooLarge(limit)
    return int(length) > 0


def _answer(outcome: Outcome) -> Response:
    response = from_outcome(outcome)
    outcome.record.http_status = response[0]
    return response


def _request(scope: Message, target: Target, head: _Head, body: bytes, accepted_ns: int) -> InvokeRequest:
    request = InvokeRequest(
        function=target.function,
        http=_http(scope, target, head, body),
        trigger="http",
        accepted_ns=accepted_ns,
    )
    parent = head.special.get(b"traceparent")
    if parent is not None:
        _continue_trace(request, parent, head.special.get(b"tracestate", b""))
    return request


def _http(scope: Message, target: Target, head: _Head, body: bytes) -> HttpRequest:
    client = scope["client"]
    return HttpRequest(
        scope["method"],
        target.path,
        scope["query_string"].decode("latin-1"),
        head.pairs,
        body,
        scope["scheme"],
        head.special.get(b"host", b"").decode("latin-1"),
        f"{client[0]}:{client[1]}" if client else "",
        target.mount,
        target.route,
    )


def _continue_trace(request: InvokeRequest, parent: bytes, state: bytes) -> None:
    found = parse_traceparent(parent.decode("latin-1"))
    if found is not None:
        request.trace_id = found.trace_id
        request.parent_span_id = found.span_id
        request.sampled = found.sampled
        request.trace_state = state.decode("latin-1")[:512]


async def _read_body(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _TooLarge(limit)
        if not message.get("more_body", False):
            return b"".join((*parts, part)) if parts else part
        parts.append(part)


def _refusal(error: Exception) -> Response:
    """The answer for a request that no worker saw."""
    if isinstance(error, UnknownFunction):
        return problem(404, "NotFound", error.message)
    if isinstance(error, MethodNotAllowed):
        allow = (b"allow", ", ".join(error.allowed).encode())
        return problem(405, "MethodNotAllowed", f"this path takes {error}", more=[allow])
    if isinstance(error, _TooLarge):
        return problem(413, "BodyTooLarge", f"the body is over {error} bytes", close=True)
    if isinstance(error, Stopping):
        return problem(503, "Stopping", error.message, close=True)
    if isinstance(error, ReliveError):
        status = next((code for kind, code in _QUEUE_ERRORS if isinstance(error, kind)), 503)
        return problem(status, type(error).__name__, error.message)
    _log.error("a request failed in the gateway", exc_info=error)
    return problem(500, "InternalError", "the gateway failed; its log says why")
