"""OTLP over HTTP: /v1/traces, /v1/logs and /v1/metrics, as protobuf or JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import socket
from typing import Any, Final

import uvicorn
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status

from relive_platform.signals.receivers.otlp.decoding import JSON, PROTOBUF, SIGNALS, Refused, unpacked
from relive_platform.signals.receivers.otlp.entry import Entry
from relive_platform.signals.receivers.otlp.intake import Intake

__all__ = ["HttpDoor"]

_CONNECTIONS: Final = 256
_BODIES: Final = 16
_BODY_S: Final = 30.0
_LINGER_S: Final = 5.0
"""For how long a client that was refused is heard out, as nginx has it (lingering_timeout)."""
_SMALL_BYTES: Final = 262_144
_SMALL_S: Final = 1.0
"""A body of up to that, as Go has it (maxPostHandlerReadBytes), is taken in before the refusal, so that the
connection goes on."""
_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 503: 14}
"""Of google.rpc.Code, for the body of an error."""

Scope = dict[str, Any]


class HttpDoor:
    """An ASGI application of three paths, and its server on a socket that listens."""

    def __init__(self, listener: socket.socket, intake: Intake, entry: Entry, body_bytes: int) -> None:
        self._listener = listener
        self._intake = intake
        self._entry = entry
        self._body_bytes = body_bytes
        self._slots = asyncio.Semaphore(_BODIES)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._answer,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=2,
                ws="none",
                http="h11",  # httptools loses the body of a request that asks for another protocol
                interface="asgi3",
            )
        )

    def run(self) -> None:
        """Serve until `stop`; on a thread of its own."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server._serve([self._listener])  # `serve` takes signals, which are another thread's

    def stop(self) -> None:
        """Take nothing more. From any thread."""
        self._server.should_exit = True

    async def _answer(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        as_json = content_type == JSON
        body = _Body(receive, headers, self._body_bytes)
        try:
            status, message = 200, await self._take(scope, headers, content_type, body)
            more: list[tuple[bytes, bytes]] = []
        except Refused as refused:
            status = refused.status
            message = Status(code=_CODES.get(status, 2), message=refused.message)
            more = [(b"retry-after", b"%d" % max(round(refused.retry_s), 1))] if refused.retry_s else []
            await body.taken_in()
            if not body.ended:
                more.append((b"connection", b"close"))
        answer = json.dumps(MessageToDict(message)).encode() if as_json else message.SerializeToString()
        kind = JSON if as_json else PROTOBUF
        head = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(answer)), *more]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": answer, "more_body": True})
        await body.thrown_away(_LINGER_S)  # to close now would reset the connection
        await send({"type": "http.response.body", "body": b""})

    async def _take(self, scope: Scope, headers: dict[str, str], content_type: str, body: _Body) -> Any:
        with self._intake.at_the_door():
            self._entry.check_page(headers)
            version, _, signal = scope["path"].strip("/").partition("/")
            if version != "v1" or signal not in SIGNALS:
                raise Refused(404, "there is /v1/traces, /v1/logs and /v1/metrics")
            if scope["method"] != "POST":
                raise Refused(405, "OTLP is sent by POST")
        async with self._slots:  # so that not all bodies are in memory at once
            with self._intake.at_the_door():
                data = await body.read()
            return await asyncio.to_thread(self._work, signal, data, headers, content_type)

    def _work(self, signal: str, body: bytes, headers: dict[str, str], content_type: str) -> Any:
        encoding = headers.get("content-encoding", "").strip().lower()
        with self._intake.at_the_door():
            whole = unpacked(body, encoding, self._body_bytes)
        return self._intake.take(signal, whole, content_type)


class _Body:
    """Of one request, of up to `limit` bytes."""

    def __init__(self, receive: Any, headers: dict[str, str], limit: int) -> None:
        length = headers.get("content-length", "0")
        self._receive = receive
        self._limit = limit
        self._length = int(length) if length.isdecimal() else 0  # as its head says it
        self._expects = "expect" in headers  # it is sent once the head is accepted
        self.ended = not self._length and "transfer-encoding" not in headers  # nothing more comes

    async def _next(self) -> bytes:
        message = await self._receive()
        self.ended = message["type"] != "http.request" or not message.get("more_body")
        if message["type"] != "http.request":
            raise Refused(400, "the client went away")
        part: bytes = message.get("body", b"")
        return part

    async def read(self) -> bytes:
        """All of it. Raises Refused."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_S):
                while max(size, self._length) <= self._limit and not self.ended:
                    parts.append(await self._next())
                    size += len(parts[-1])
        except TimeoutError:
            raise Refused(408, f"the body did not come within {_BODY_S:g} s") from None
        if max(size, self._length) > self._limit:
            raise Refused(413, f"the request is over {self._limit} bytes: send smaller batches")
        return b"".join(parts)

    async def taken_in(self) -> None:
        """A small body of a refused request, if it is on its way."""
        if not self._expects and self._length <= _SMALL_BYTES:
            await self.thrown_away(_SMALL_S, _SMALL_BYTES)

    async def thrown_away(self, timeout_s: float, limit: float = math.inf) -> None:
        """What is left of it, for so long."""
        if self.ended:
            return
        with contextlib.suppress(TimeoutError, Refused):
            async with asyncio.timeout(timeout_s):
                size = 0
                while not self.ended and size <= limit:
                    size += len(await self._next())
