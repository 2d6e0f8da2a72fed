"""For pytest (`-p plugin`): Starlette's TestClient, and so FastAPI's, asks a server instead of calling the
application.

Each request goes by HTTP to the address in `BRIDGE`, where Relive serves `bridge.py`; the application runs
here, on what comes back from there. So tests keep their closures, mocks and exceptions, and what is between
them and the application is Relive's: gateway, messages, scope, adapter.
"""

from __future__ import annotations

import ast
import itertools
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import anyio
import anyio.from_thread
import anyio.to_thread
import httpcore
from anyio.streams.buffered import BufferedByteReceiveStream
from starlette import testclient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

_ADDRESS: Final = os.environ["BRIDGE"]  # host:port
_LINE_BYTES: Final = 256 * 1024 * 1024
_WAIT_S: Final = 60
_SETTLE_S: Final = 2
_SERVERS_OWN: Final = (
    b"x-relive-", b"traceparent", b"date", b"server", b"transfer-encoding", b"connection", b"keep-alive",
)  # fmt: skip
_CLIENTS_OWN: Final = ("sec-websocket-", "upgrade", "connection", "host", "user-agent")
_REFUSED: Final = (b"host", b"origin")
"""The gateway on loopback answers no pages of other origins; `websockets` knows no host but the address."""
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_httpx: Any = testclient.httpx


class AppSide:
    """The application of one request: it runs once the bridge has connected."""

    def __init__(self, transport: Any, request: Any) -> None:
        self._transport, self._request = transport, request
        self.error: BaseException | None = None
        self.debug: dict[str, Any] = {}
        self.began = False
        self.over = anyio.Event()

    async def serve(self, stream: Any) -> None:
        """Until the application has come to its end."""
        self.began = True
        try:
            async with stream:
                await self._serve(stream)
        finally:
            self.over.set()

    async def _serve(self, stream: Any) -> None:
        lines = BufferedByteReceiveStream(stream)
        scope = await _line(lines)
        self._change(scope)
        asking = _Asking(stream, lines)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.debug":
                self.debug = message["info"]
                return
            await asking.ask({name: _plain(value) for name, value in message.items()})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asking.read, tasks.cancel_scope)
            try:
                await self._transport.app(scope, lambda: asking.ask(None), send)
            except Exception as error:
                self.error = error
            told = f"{type(self.error).__name__}: {self.error}" if self.error is not None else ""
            with anyio.CancelScope(shield=True):
                await stream.send(ascii((-1, told)).encode() + b"\n")
            tasks.cancel_scope.cancel()

    def _change(self, scope: dict[str, Any]) -> None:
        """What no server on loopback can know: what the test says of its client, host and scheme."""
        transport, request = self._transport, self._request
        scope["state"] = transport.app_state.copy()
        scope["extensions"]["http.response.debug"] = {}
        scope["client"], scope["root_path"] = list(transport.client), transport.root_path
        scheme = scope["scheme"] = request.url.scheme
        scope["server"] = [request.url.host, request.url.port or _PORTS[scheme]]
        given = [(name.lower().encode(), value.encode()) for name, value in request.headers.multi_items()]
        names = {name for name, _ in given} | {b"content-length"}
        kept = [pair for pair in scope["headers"] if pair[0] in names and pair[0] not in _REFUSED]
        scope["headers"] = [*(pair for pair in given if pair[0] in _REFUSED), *kept]


class _Asking:
    """What the application receives and sends, by the bridge."""

    def __init__(self, stream: Any, lines: BufferedByteReceiveStream) -> None:
        self._stream, self._lines = stream, lines
        self._waiting: dict[int, tuple[anyio.Event, list[Any]]] = {}
        self._lock, self._numbers = anyio.Lock(), itertools.count()

    async def ask(self, message: Any) -> Any:
        """`send(message)` there; None: `receive()`."""
        number = next(self._numbers)
        self._waiting[number] = came, answer = anyio.Event(), []
        async with self._lock:
            await self._stream.send(ascii((number, message)).encode() + b"\n")
        await came.wait()
        del self._waiting[number]
        error, value = answer
        if error:
            raise OSError(error) if error.startswith("ClientDisconnected") else RuntimeError(error)
        return value

    async def read(self, scope: anyio.CancelScope) -> None:
        """The answers, until the bridge has gone."""
        with suppress(anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            while True:
                number, error, value = await _line(self._lines)
                if number in self._waiting:
                    self._waiting[number][1].extend((error, value))
                    self._waiting[number][0].set()
        scope.cancel()


async def _line(lines: BufferedByteReceiveStream) -> Any:
    return ast.literal_eval((await lines.receive_until(b"\n", _LINE_BYTES)).decode())


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
        return [tuple(map(_plain, one)) if isinstance(one, (list, tuple)) else _plain(one) for one in value]
    return value


async def _exchange(side: AppSide, ask: Callable[[int], Any]) -> Any:
    """Run `ask(port)` in a thread while the application is served at that port."""
    listener: Any = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, side.serve)
        answer = await anyio.to_thread.run_sync(ask, port)
        if side.began:
            await side.over.wait()  # with what it does after its answer
        tasks.cancel_scope.cancel()
    return answer


async def _side(transport: Any, request: Any) -> AppSide:
    return AppSide(transport, request)


def handle_request(self: Any, request: Any) -> Any:
    """Instead of `_TestClientTransport.handle_request`."""
    if request.url.scheme in ("ws", "wss"):
        raise testclient._Upgrade(Session(self, request))

    def ask(port: int) -> Any:
        pairs = request.headers.multi_items()
        headers = [(name.encode(), value.encode()) for name, value in pairs if name != "origin"]
        headers.append((b"x-bridge", str(port).encode()))
        host, _, number = _ADDRESS.partition(":")
        target = request.url.raw_path
        url = httpcore.URL(scheme=b"http", host=host.encode(), port=int(number), target=target)
        with httpcore.ConnectionPool() as pool:
            body = request.read() or None  # else the client would say that it has none
            return pool.request(request.method, url, headers=headers, content=body)

    with self.portal_factory() as portal:
        side = portal.call(_side, self, request)
        answer = portal.call(_exchange, side, ask)
    if side.error is not None and self.raise_server_exceptions:
        raise side.error
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in answer.headers
        if not name.lower().startswith(_SERVERS_OWN)
    ]
    stream = _httpx.ByteStream(answer.content)
    response = _httpx.Response(answer.status, headers=headers, stream=stream, request=request)
    for name, value in side.debug.items():
        setattr(response, name, value)
    return response


class Session(testclient.WebSocketTestSession):
    """A websocket by the library `websockets`, told to the test in ASGI's messages."""

    def __init__(self, transport: Any, request: Any) -> None:
        super().__init__(transport.app, {}, transport.portal_factory)
        self._transport, self._request = transport, request
        self._side: Any = None
        self._client: Any = None
        self._opened = threading.Event()

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """And let the application hear of it, which takes longer than in one process."""
        super().close(code, reason)
        self.portal.call(self._settle)

    async def _settle(self) -> None:
        if self._side.began:
            with anyio.move_on_after(_SETTLE_S):
                await self._side.over.wait()

    async def _run(self, *, task_status: Any) -> None:
        self._tell, self._send_rx = anyio.create_memory_object_stream[Any](1_000_000)
        self._receive_tx, given = anyio.create_memory_object_stream[Any](1_000_000)
        self._side = await _side(self._transport, self._request)
        with self._tell, self._send_rx, self._receive_tx, given, anyio.CancelScope() as scope:
            task_status.started(scope)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._forward, given)
                try:
                    await _exchange(self._side, self._talk)
                finally:
                    if self._client is not None:
                        await anyio.to_thread.run_sync(self._client.close)
                if self._side.error is None:
                    await anyio.sleep_forever()
                tasks.cancel_scope.cancel()
        if self._side.error is not None:
            raise self._side.error

    def _talk(self, port: int) -> None:
        """In a thread: what the server says."""
        headers = self._request.headers
        given = [pair for pair in headers.multi_items() if not pair[0].startswith((*_CLIENTS_OWN, "origin"))]
        named = [part.strip() for part in headers.get("sec-websocket-protocol", "").split(",")]
        protocols: Any = [part for part in named if part] or None
        try:
            self._client = client = connect(  # closed in _run
                f"ws://{_ADDRESS}{self._request.url.raw_path.decode()}",
                additional_headers=[*given, ("x-bridge", str(port))], subprotocols=protocols, proxy=None,
                user_agent_header=headers.get("user-agent"), max_size=None, open_timeout=_WAIT_S,
                compression=None,
            )  # fmt: skip
        except InvalidStatus as refused:
            self._refused(refused.response)
            return
        told = _texts(client.response, _CLIENTS_OWN)
        self._say({"type": "websocket.accept", "subprotocol": client.subprotocol, "headers": told})
        self._opened.set()
        try:
            while True:
                data = client.recv()
                self._say({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
        except ConnectionClosed:
            code, reason = client.protocol.close_code, client.protocol.close_reason
            self._say({"type": "websocket.close", "code": code or 1006, "reason": reason or ""})

    def _refused(self, response: Any) -> None:
        if self._side.began:
            anyio.from_thread.run(self._side.over.wait)
        if self._side.error is not None:  # which the test gets
            anyio.from_thread.run_sync(self._tell.close)
        elif response.status_code == 403 and not response.body:
            self._say({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            start = {"type": "websocket.http.response.start", "status": response.status_code}
            self._say({**start, "headers": _texts(response, ())})
            self._say({"type": "websocket.http.response.body", "body": response.body})

    def _say(self, message: dict[str, Any]) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            anyio.from_thread.run_sync(self._tell.send_nowait, message)

    async def _forward(self, given: Any) -> None:
        """What the test says, to the server."""
        async for message in given:
            if message["type"] == "websocket.connect":
                continue
            await anyio.to_thread.run_sync(self._opened.wait, _SETTLE_S)
            if self._client is None:
                continue
            if message["type"] == "websocket.disconnect":
                code, reason = message.get("code") or 1000, message.get("reason") or ""
                await anyio.to_thread.run_sync(self._client.close, code, reason)
                continue
            text = message.get("text")
            with suppress(ConnectionClosed):
                data = text if text is not None else message["bytes"]
                await anyio.to_thread.run_sync(self._client.send, data)


def _texts(response: Any, without: tuple[str, ...]) -> list[tuple[bytes, bytes]]:
    pairs = [(name.lower().encode(), value.encode()) for name, value in response.headers.raw_items()]
    hidden = (*_SERVERS_OWN, *(name.encode() for name in without))
    return [pair for pair in pairs if not pair[0].startswith(hidden)]


testclient._TestClientTransport.handle_request = handle_request  # type: ignore[method-assign]
