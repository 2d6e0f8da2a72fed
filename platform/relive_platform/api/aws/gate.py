"""The listener's end: connections are the gateway's, with their limits; requests go to the desk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from relive_platform.api.aws.desk import Desk
from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.protocols.base import Answer, json_bytes
from relive_platform.api.aws.service import Reply
from relive_platform.api.aws.signature import Signed
from relive_platform.engine.invocation import Outcome
from relive_platform.triggers.http.bodies import BodiesFull, BodyBudget, BodyTooLarge
from relive_platform.triggers.http.connections.exchange import Exchange
from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.responses import Response

__all__ = ["AwsGate", "GateLimits"]

_WATCH_S: Final = 0.1  # from then on it is seen whether the client of a slow operation has gone
_NO_CONTENT: Final = 204
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Sizes in bytes. `body_bytes`: zips come as base64 within JSON."""

    body_bytes: int = 72 * 1_048_576
    bodies_bytes: int = 256 * 1_048_576  # of all large requests together


class AwsGate:
    """A gatekeeper of `HttpListener`."""

    def __init__(self, desk: Desk, limits: GateLimits | None = None) -> None:
        self._desk = desk
        self._limits = limits or GateLimits()
        self._budget = BodyBudget(self._limits.bodies_bytes)

    def begin(self, head: Head, body: bytes, exchange: Exchange) -> bool:
        """Every request is a task."""
        return False

    def answer(self, outcome: Outcome, exchange: Exchange) -> Response:
        """No invocation answers here by itself."""
        raise NotImplementedError

    async def handle(self, head: Head, exchange: Exchange) -> Response | None:
        """One request. None if it has been answered, or its client has gone."""
        try:
            body = await self._body(head, exchange)
            if body is None:
                return None
            host = head.special.get("host", b"").decode("latin-1")
            request = Signed(head.method, _target(head), head.pairs, body)
            answer = await _while_there(exchange, self._desk.answer(request, f"http://{host}"))
            if isinstance(answer, Reply) and not isinstance(answer.body, bytes):
                await _stream(exchange, answer, answer.body)
                return None
            return _response(answer.status, answer.headers, answer.body) if answer is not None else None
        except (BodyTooLarge, BodiesFull) as error:
            return _refused(error)
        except Exception:
            _log.exception("a request to the AWS API failed")
            return _error(AwsError("ServiceException", "the AWS API failed; run/server.log says why", 500))

    async def _body(self, head: Head, exchange: Exchange) -> bytes | None:
        length = head.body_bytes
        if length > self._limits.body_bytes:
            raise BodyTooLarge(self._limits.body_bytes)
        if not length:
            return b""
        return await exchange.read(self._limits.body_bytes, self._budget)


def _target(head: Head) -> str:
    """Path and query as they came, without what a proxy's client puts before them."""
    target = head.target.decode("latin-1")
    if not target.startswith("/"):
        target = "/" + (target.split("/", 3) + [""] * 3)[3]
    return target.partition("#")[0]


async def _while_there(
    exchange: Exchange, work: Coroutine[Any, Any, Answer | Reply]
) -> Answer | Reply | None:
    """The answer; None if the client left before: the operation is cancelled then."""
    task: asyncio.Task[Answer | Reply] = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=_WATCH_S)
        if not done:
            leaving = asyncio.ensure_future(_gone(exchange))
            try:
                await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    return None


async def _gone(exchange: Exchange) -> None:
    """Returns when the client has gone."""
    while (await exchange.receive())["type"] == "http.request":
        pass


class _Flow:
    """The client's end of a streamed answer: `taken` when it has read, `left` when it has gone. `stop` ends
    whatever is waited for then."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self.event = asyncio.Event()
        self.gone = False
        self._stop = stop

    def taken(self, call_id: int) -> None:
        self.event.set()

    def left(self) -> None:
        if not self.gone:
            self.gone = True
            self._stop()


async def _stream(exchange: Exchange, reply: Reply, parts: AsyncIterator[bytes]) -> None:
    """Send the parts as they come, and no faster than the client reads. Ends when the client has gone."""
    sending = asyncio.ensure_future(_send(exchange, parts))
    flow = exchange.stream = _Flow(sending.cancel)
    whole = False
    try:
        exchange.protocol.begin_stream(exchange, Response(reply.status, _lines(reply.headers), b""))
        await asyncio.wait({sending})
        whole = not flow.gone and not sending.cancelled() and sending.result()
    except Exception:
        _log.exception("a streamed answer of the AWS API broke off")
    finally:
        sending.cancel()
        await _close(parts)
        exchange.told = True
        exchange.free()
        exchange.protocol.end_stream(exchange, whole)


async def _send(exchange: Exchange, parts: AsyncIterator[bytes]) -> bool:
    """Whether all of them were sent."""
    protocol = exchange.protocol
    async for part in parts:
        if not protocol.write_part(exchange, part):
            return False
        if protocol.flow.write_paused:
            flow = cast("_Flow", exchange.stream)
            flow.event.clear()
            exchange.waiting = 1
            await flow.event.wait()
    return True


async def _close(parts: AsyncIterator[bytes]) -> None:
    aclose = getattr(parts, "aclose", None)
    if aclose is not None:
        await aclose()


def _lines(headers: Mapping[str, str]) -> bytes:
    clean = [
        f"{name}: {value}\r\n"
        for name, value in headers.items()
        if value.isprintable() and name.isascii() and name.isprintable()
    ]
    return "".join(clean).encode("latin-1", "replace")


def _response(status: int, headers: Mapping[str, str], body: bytes | AsyncIterator[bytes]) -> Response:
    assert isinstance(body, bytes)
    length = b"" if status == _NO_CONTENT else b"content-length: %d\r\n" % len(body)
    return Response(status, _lines(headers) + length, b"" if status == _NO_CONTENT else body)


def _error(error: AwsError, close: bool = False) -> Response:
    body = json_bytes({"__type": error.code, "message": error.message, "Message": error.message})
    headers = {"content-type": "application/json", "x-amzn-errortype": error.code}
    return _response(error.status, headers, body)._replace(close=close)


def _refused(error: BodyTooLarge | BodiesFull) -> Response:
    if isinstance(error, BodyTooLarge):
        message = f"Request must be smaller than {error} bytes for this operation"
        return _error(AwsError("RequestTooLargeException", message, 413), close=True)
    message = f"large requests hold {error} bytes already; try again"
    return _error(AwsError("ServiceException", message, 503), close=True)
