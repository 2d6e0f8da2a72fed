"""An HTTP request becomes an event, an outcome becomes the response."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, cast

from relive_base.errors import NotFound, ReliveError
from relive_base.slashes import without_slashes
from relive_base.wire.messages import HttpRequest
from relive_runtime.adapters.event.decoding import BadEvent, decode_event

from relive_platform.engine.dispatcher import Dispatcher
from relive_platform.engine.errors import Stopping, UnknownFunction
from relive_platform.engine.invocation import InvokeRequest, Outcome, StreamReader
from relive_platform.triggers.http.accepting import accept
from relive_platform.triggers.http.access import Access, ForeignPage, Unauthorized, UnexpectedHost, navigates
from relive_platform.triggers.http.bodies import BodiesFull, BodyBudget, BodyTooLarge
from relive_platform.triggers.http.connections.head import FORWARDED, GUARDED, Head
from relive_platform.triggers.http.doors import DoorRefusal
from relive_platform.triggers.http.passing import Passing
from relive_platform.triggers.http.propagation import Propagation
from relive_platform.triggers.http.redirects import below
from relive_platform.triggers.http.responses import Response, from_outcome, json_response, problem
from relive_platform.triggers.http.routes import MethodNotAllowed, Routes, Target
from relive_platform.triggers.http.sockets.handshake import is_websocket
from relive_platform.triggers.http.sockets.limits import SocketLimits
from relive_platform.triggers.http.sockets.websockets import Upgrading, Websockets
from relive_platform.triggers.queue.model import BadEventId, Conflict, DiskFull, QueueBusy, QueueFull
from relive_platform.triggers.queue.publisher import Accepted, Publisher

__all__ = ["SCENES", "Exchange", "Gateway", "GatewayLimits", "SceneDoor"]

_log = logging.getLogger(__name__)
_HEADER_CHARS: Final = 512  # kept of a user agent
_QUALIFIER_CHARS: Final = 128
QUALIFIER: Final = "relive-qualifier"
"""Header of a request for a version's number or an alias."""
SCENES: Final = "/_relive/scenes/"
"""What scenes are sent to, each under its name."""
_LARGE_JSON_BYTES: Final = 65_536  # from here on a thread reads it
_QUEUE_ERRORS: Final = (
    (BadEventId, 400),
    (Conflict, 409),
    (QueueFull, 429),
    (QueueBusy, 429),
    (DiskFull, 507),
)


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Sizes in bytes."""

    body_bytes: int = 6 * 1_048_576
    async_body_bytes: int = 1_048_576
    bodies_bytes: int = 256 * 1_048_576  # of all large requests together
    service_body_bytes: int = 1_024 * 1_048_576  # of a request to a service, which reads it as it comes


_FOR_LINKS: Final = (
    "links and redirects may lead to the paths of http triggers of functions"
    " with `public = true` in relive.toml"
)


class _UnknownPath(Exception):
    """No function has this path, which is the argument."""


class _ForInbox(Exception):
    """It is a scene that somebody sends."""


class _Answered(Exception):
    """There is a response already, without the function: the argument."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


class Exchange(StreamReader, Protocol):
    """A request that waits for its response. `cors`: header lines that the response gets; `details`: whether
    it says what went wrong; `hidden`: the part of the path that the function does not see."""

    head: Head
    cors: bytes
    details: bool
    hidden: str
    passes_on: bool
    room: asyncio.Event | None

    def respond(self, response: Response, /) -> None: ...
    async def read(self, limit: int, budget: BodyBudget, /) -> bytes | None: ...
    async def pass_on(self, limit: int, /) -> None: ...


class SceneDoor(Protocol):
    """Takes scenes that were recorded elsewhere."""

    limit_bytes: int

    def admits(self, head: Head, /) -> bool: ...
    async def take(self, method: str, name: str, data: bytes, /) -> Response: ...


class Gateway:
    """No framework: it is on the path of every request."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        publish: Publisher,
        limits: GatewayLimits | None = None,
        access: Access | None = None,
        propagation: Propagation | None = None,
        sockets: SocketLimits | None = None,
        ready: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        """`ready` has a version that is not in service ready for a request that asks for it by its number."""
        self._ready = ready
        self.scenes: SceneDoor | None = None
        self.routes = Routes()
        self._access = access or Access()
        self._dispatcher = dispatcher
        self._publish = publish
        self._limits = limits or GatewayLimits()
        self._propagation = propagation or Propagation()
        self.bodies = BodyBudget(self._limits.bodies_bytes)
        self._passing = Passing(publish, dispatcher, _acceptance, _status_for)
        self.websockets = Websockets(sockets or SocketLimits(), self.bodies, self._replaced)

    async def handle(self, head: Head, exchange: Exchange) -> Response | None:
        """One request whose body may still be on its way. None if `exchange` is told, or has gone."""
        accepted_ns = time.time_ns()
        try:
            target = self._target(head, exchange)
            stored = head.asynchronous if target.door is None else not target.door.synchronous
            if target.service and not stored and target.door is None:
                await self._serve(target, head, exchange, accepted_ns)
                return None
            limit = self._limits.async_body_bytes if stored else self._limits.body_bytes
            length = head.body_bytes
            if length > limit:
                raise BodyTooLarge(limit)
            body = await exchange.read(limit, self.bodies) if length else b""
            if body is None:
                return None
            request = _request(target, head, body, accepted_ns, self._propagation)
            if target.door is not None:
                return await self._passing.through(
                    target.door, request, lambda outcome: self.answer(outcome, exchange)
                )
            if request.qualifier and self._ready is not None:
                await self._ready(request.function, request.qualifier)
            if head.asynchronous:
                return await self._enqueue(request, head, exchange)
            self._dispatcher.begin(request, exchange)
        except _ForInbox:
            return await self._take_scene(head, exchange)
        except Exception as error:
            return _refusal(error)
        else:
            return None

    async def _take_scene(self, head: Head, exchange: Exchange) -> Response | None:
        door = self.scenes
        if door is None or not door.admits(head):
            return _refusal(Unauthorized())
        if head.body_bytes > door.limit_bytes:
            return _refusal(BodyTooLarge(door.limit_bytes))
        try:
            body = await exchange.read(door.limit_bytes, self.bodies) if head.body_bytes else b""
        except Exception as error:
            return _refusal(error)
        if body is None:
            return None
        return await door.take(head.method, head.path.removeprefix(SCENES), body)

    async def _serve(self, target: Target, head: Head, exchange: Exchange, accepted_ns: int) -> None:
        """A service gets the request at once, and its body as it comes."""
        limit = self._limits.service_body_bytes
        if head.body_bytes > limit:
            raise BodyTooLarge(limit)
        request = _request(target, head, b"", accepted_ns, self._propagation)
        request.more = bool(head.body_bytes)
        exchange.passes_on = True
        exchange.room = asyncio.Event()
        self._dispatcher.begin(request, exchange)
        if request.more:
            await exchange.pass_on(limit)

    def begin(self, head: Head, body: bytes, exchange: Exchange) -> bool:
        """A request that is complete: `exchange` is told of the outcome, without a task in between.

        False if it has to be `handle` (an asynchronous event, which waits for a commit, or a door).
        """
        try:
            target = self._target(head, exchange)
            if head.asynchronous or target.door is not None or target.qualifier or QUALIFIER in head.special:
                return False
            if len(body) > self._limits.body_bytes:
                raise BodyTooLarge(self._limits.body_bytes)
            request = _request(target, head, body, time.time_ns(), self._propagation)
            if "upgrade" in head.special and target.service and is_websocket(head):
                self._upgrade(request, target, head, exchange)
            else:
                self._dispatcher.begin(request, exchange)
        except _ForInbox:
            return False
        except Exception as error:
            exchange.respond(_refusal(error))
        return True

    def _upgrade(self, request: InvokeRequest, target: Target, head: Head, exchange: Exchange) -> None:
        special, cors = head.special, target.cors
        # Browsers ask no server whether a page may open one, as they do for other requests.
        if cors is not None and self._access.foreign(special) and not cors.allows(special.get("origin")):
            raise ForeignPage
        begin = self._dispatcher.begin
        refused = self.websockets.begin(request, head, cast("Upgrading", exchange), begin)
        if refused is not None:
            exchange.respond(refused)

    def _replaced(self, function: str, version: int) -> bool:
        """Whether a function's version gets nothing any more."""
        pool = self._dispatcher.versions.get((function, version))
        return pool is None or pool.draining

    def _target(self, head: Head, exchange: Exchange) -> Target:
        """Where the request goes, if its client may send it there."""
        special = head.special
        self._access.check_host(special.get("host"))
        if self.scenes is not None and head.path.startswith(SCENES):
            raise _ForInbox
        if GUARDED in special or FORWARDED in special or not self._access.loopback:
            target = self._admitted(head)
        else:
            target = self.routes.find(head.method, head.segments)
        if target is None or not target.function:
            raise _UnknownPath(head.path)
        if target.function not in self._dispatcher.pools:
            raise UnknownFunction(target.function)
        if target.cors is not None:
            exchange.cors = target.cors.lines(special.get("origin"))
        if not target.details:
            exchange.details = False
        if target.hidden:
            exchange.hidden = target.hidden
        return target

    def _admitted(self, head: Head) -> Target | None:
        """As `Routes.find`, for a client that has to be looked at. Raises Unauthorized, ForeignPage."""
        access = self._access
        special = head.special
        preflight = self._preflight(head)
        if preflight is not None:
            raise _Answered(preflight)
        known = access.authorise(head)
        try:
            target = self.routes.find(head.method, head.segments)
        except MethodNotAllowed:
            if not known:
                raise Unauthorized from None
            raise
        if not known and (target is None or not target.public):
            raise Unauthorized
        if access.loopback and access.foreign(special):
            cors = target.cors if target is not None else None
            if navigates(head):
                if target is None or not target.public:
                    raise ForeignPage(_FOR_LINKS)
            elif cors is None or not cors.allows(special.get("origin")):
                raise ForeignPage
        if FORWARDED in special:
            access.proxies.look(head)
        return target

    def _preflight(self, head: Head) -> Response | None:
        """The answer to a browser's question for a function with a `cors` table."""
        special = head.special
        if head.method != "OPTIONS" or "origin" not in special:
            return None
        method = special.get("access-control-request-method")
        if method is None:
            return None
        try:
            target = self.routes.find(method.decode("latin-1"), head.segments)
        except MethodNotAllowed:
            return None
        if target is None or target.cors is None:
            return None  # the function may answer it itself
        return target.cors.preflight(special)

    def answer(self, outcome: Outcome, exchange: Exchange) -> Response:
        """What the client of an invocation gets; its record is told the status."""
        response = from_outcome(outcome, exchange.details)
        outcome.record.http_status = response.status
        if exchange.hidden and b"location: " in response.head:
            host = exchange.head.special.get("host", b"")
            moved = below(response.head, exchange.hidden, host, self.routes.has)
            response = response._replace(head=moved)
        return response

    async def _enqueue(self, request: InvokeRequest, head: Head, exchange: Exchange) -> Response:
        request.stream = False  # what waits here takes an answer in one piece
        http = original = request.http
        assert original is not None
        if http is not None and "x-amz-invocation-type" in head.special:
            # Lambda's Invoke: the body is the event, not the request.
            request.event, request.http = http.body, None
            if not await _is_json(http.body):
                # No retry could help: it fails now, with a scene that keeps its bytes.
                return self.answer(await self._dispatcher.submit(request), exchange)
        key = next((value for name, value in head.pairs if name == "idempotency-key"), "")
        accepted = await accept(self._publish, request, original, key, _status_for)
        flags = "01" if request.sampled else "00"
        known = f"x-relive-invocation-id: {accepted.invocation_id}\r\n" if accepted.invocation_id else ""
        more = (
            f"{known}traceparent: 00-{accepted.trace_id}-{accepted.span_id}-{flags}\r\n"
            "preference-applied: respond-async\r\n"
        )
        return json_response(202, _acceptance(accepted), more)


def _acceptance(accepted: Accepted) -> dict[str, object]:
    """What the sender is told; of a duplicate also what became of the first."""
    told: dict[str, object] = {
        "event_id": accepted.event_id,
        **({"invocation_id": accepted.invocation_id} if accepted.invocation_id else {}),
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


def _request(
    target: Target, head: Head, body: bytes, accepted_ns: int, propagation: Propagation
) -> InvokeRequest:
    special = head.special
    http = HttpRequest(
        head.method,
        without_slashes(target.path),
        head.query,
        head.pairs,
        body,
        head.scheme,
        special.get("host", b"").decode("latin-1"),
        head.client,
        target.mount,
        target.route,
        target=head.raw_path,
        version=head.version,
        client_port=head.peer_port,
    )
    if target.payload == "1.0":
        _spell(http, head)
    request = InvokeRequest(
        function=target.function,
        http=http,
        trigger="http",
        accepted_ns=accepted_ns,
        scheme=http.scheme,
        host=http.host,
        client=head.client,
        peer=head.peer,
        peer_port=head.peer_port,
        stream=True,
        user_agent=special.get("user-agent", b"").decode("latin-1")[:_HEADER_CHARS],
        qualifier=target.qualifier,
    )
    if QUALIFIER in special and not request.qualifier:
        request.qualifier = special[QUALIFIER].decode("latin-1")[:_QUALIFIER_CHARS]
    propagation.carry_on(request, head)
    return request


def _spell(http: HttpRequest, head: Head) -> None:
    """Lambda's older event has the names of headers as the client wrote them."""
    spelled = {name.lower().decode("latin-1"): name.decode("latin-1") for name, _ in reversed(head.raw)}
    http.payload = "1.0"
    http.names = [spelled.get(name, name) for name, _ in head.pairs]


def _status_for(error: ReliveError) -> int:
    """What the queue refuses an event with."""
    if isinstance(error, UnknownFunction):
        return 404
    return next((code for kind, code in _QUEUE_ERRORS if isinstance(error, kind)), 503)


def _refusal(error: Exception) -> Response:
    """The answer for a request that no worker saw."""
    if isinstance(error, _Answered):
        return error.response
    refused = _no_access(error)
    if refused is not None:
        return refused
    if isinstance(error, NotFound):
        return problem(404, "NotFound", error.message)
    if isinstance(error, _UnknownPath):
        return problem(404, "NotFound", f"no function has the path {str(error)!r}; each has /fn/NAME/")
    if isinstance(error, MethodNotAllowed):
        allow = f"allow: {', '.join(error.allowed)}\r\n"
        return problem(405, "MethodNotAllowed", f"this path takes {error}", allow)
    if isinstance(error, BodyTooLarge):
        return problem(413, "BodyTooLarge", f"the body is over {error} bytes", close=True)
    if isinstance(error, BodiesFull):
        message = f"large requests hold {error} bytes already; try again"
        return problem(503, "BodiesFull", message, "retry-after: 1\r\n", close=True)
    if isinstance(error, Stopping):
        return problem(503, "Stopping", error.message, close=True)
    if isinstance(error, ReliveError):
        return problem(_status_for(error), type(error).__name__, error.message)
    _log.error("a request failed in the gateway", exc_info=error)
    return problem(500, "InternalError", "the gateway failed; its log says why")


def _no_access(error: Exception) -> Response | None:
    """The answer for a client that may not invoke."""
    if isinstance(error, Unauthorized):
        more = 'www-authenticate: Bearer realm="relive"\r\n'
        message = "this server wants its token: Authorization: Bearer TOKEN, or X-Relive-Token: TOKEN"
        return problem(401, "Unauthorized", message, more)
    if isinstance(error, UnexpectedHost):
        message = (
            f"this server is not {str(error)!r}; RELIVE_ALLOWED_HOSTS names the hosts that it answers for"
        )
        return problem(403, "UnexpectedHost", message)
    if isinstance(error, DoorRefusal):
        return problem(error.status, error.name, error.message, error.more)
    if isinstance(error, ForeignPage):
        allowed = str(error) or "`cors` in relive.toml allows it"
        message = f"a web page of another origin may not call this function; {allowed}"
        return problem(403, "ForeignPage", message)
    return None
