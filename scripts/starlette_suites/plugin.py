"""For pytest (`-p plugin`): Starlette's TestClient, and so FastAPI's, asks a server instead of calling the
application.

Each request goes by HTTP to the address in `BRIDGE`, where Relive serves `bridge.py`; the application runs here, on
what comes back from there. So tests keep their closures, mocks and exceptions, and everything between them
and the application is Relive's: gateway, messages, scope, adapter.
"""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Callable
from typing import Any, Final

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread
import httpcore
from anyio.streams.buffered import BufferedByteReceiveStream
from starlette import testclient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

_ADDRESS: Final = os.environ["BRIDGE"]  # host:port
_LINE_BYTES: Final = 256 * 1024 * 1024
_SERVERS_OWN: Final = (
    b"x-relive-",
    b"traceparent",
    b"date",
    b"server",
    b"transfer-encoding",
    b"connection",
    b"keep-alive",
)
_CLIENTS_OWN: Final = ("sec-websocket-", "upgrade", "connection", "host", "user-agent")
_REFUSED: Final = (b"host", b"origin")
"""The gateway on loopback answers no pages of other origins; and `websockets` knows no host but the address."""
_httpx: Any = testclient.httpx


class AppSide:
    """The application of one request: it runs when the bridge has connected."""

    def __init__(self, app: Any, change: Callable[[dict[str, Any]], None], state: dict[str, Any]) -> None:
        self._app, self._change, self._state = app, change, state
        self.error: BaseException | None = None
        self.debug: dict[str, Any] = {}
        self.began = False
        self.over = anyio.Event()

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        self.began = True
        try:
            async with stream:
                await self._serve(stream)
        finally:
            self.over.set()

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        scope = await _line(lines)
        scope["state"] = self._state.copy()
        self._change(scope)
        waiting: dict[int, tuple[anyio.Event, list[Any]]] = {}
        lock, numbers = anyio.Lock(), iter(range(1_000_000_000))

        async def ask(message: Any) -> Any:
            number = next(numbers)
            waiting[number] = came, answer = anyio.Event(), []
            async with lock:
                await stream.send(ascii((number, message)).encode() + b"\n")
            await came.wait()
            del waiting[number]
            if answer[0]:
                gone = answer[0].startswith("ClientDisconnected")
                raise OSError(answer[0]) if gone else RuntimeError(answer[0])
            return answer[1]

        async def send(message: Any) -> None:
            if message["type"] == "http.response.debug":
                self.debug = message["info"]
                return
            plain = {name: _plain(value) for name, value in message.items()}
            await ask(plain)

        async def read() -> None:
            try:
                while True:
                    number, error, value = await _line(lines)
                    if number in waiting:
                        waiting[number][1].extend((error, value))
                        waiting[number][0].set()
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            try:
                await self._app(scope, lambda: ask(None), send)
            except Exception as error:
                self.error = error
            told = f"{type(self.error).__name__}: {self.error}" if self.error is not None else ""
            with anyio.CancelScope(shield=True):
                await stream.send(ascii((-1, told)).encode() + b"\n")
            tasks.cancel_scope.cancel()


async def _line(lines: BufferedByteReceiveStream) -> Any:
    return ast.literal_eval((await lines.receive_until(b"\n", _LINE_BYTES)).decode())


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
        return [(bytes(name), bytes(text)) for name, text in value]
    return value


async def _exchange(side: AppSide, ask: Callable[[int], Any]) -> Any:
    """Run `ask(port)` in a thread while the application is served."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, side.serve)
        answer = await anyio.to_thread.run_sync(ask, port)
        if side.began:
            await side.over.wait()  # with what it does after its answer
        tasks.cancel_scope.cancel()
    return answer


def _change_of(transport: Any, request: Any) -> Callable[[dict[str, Any]], None]:
    def change(scope: dict[str, Any]) -> None:
        """What no server on loopback could know: what the test says of its client and of the scheme."""
        scope["client"], scope["root_path"] = list(transport.client), transport.root_path
        scope["scheme"] = request.url.scheme
        given = [(name.lower().encode(), value.encode()) for name, value in request.headers.multi_items()]
        kept = [pair for pair in scope["headers"] if pair[0] not in _REFUSED]
        names = {name for name, _ in given}
        scope["headers"] = [pair for pair in given if pair[0] in _REFUSED]
        scope["headers"] += [pair for pair in kept if pair[0] in names or pair[0] == b"content-length"]
        scope["extensions"]["http.response.debug"] = {}
        scope["server"] = [
            request.url.host,
            request.url.port or {"https": 443, "wss": 443}.get(request.url.scheme, 80),
        ]

    return change


def handle_request(self: Any, request: Any) -> Any:
    """Instead of `_TestClientTransport.handle_request`."""
    if request.url.scheme in ("ws", "wss"):
        raise testclient._Upgrade(Session(self, request))

    def ask(port: int) -> Any:
        pairs = request.headers.multi_items()
        headers = [(name.encode(), value.encode()) for name, value in pairs if name != "origin"]
        headers.append((b"x-bridge", str(port).encode()))
        body = request.read()
        raw = httpcore.URL(
            scheme=b"http",
            host=_ADDRESS.partition(":")[0].encode(),
            port=int(_ADDRESS.partition(":")[2]),
            target=request.url.raw_path,
        )
        with httpcore.ConnectionPool() as pool:
            return pool.request(request.method, raw, headers=headers, content=body)

    with self.portal_factory() as portal:
        side = portal.call(lambda: _made(self, request))
        answer = portal.call(_exchange, side, ask)
    if side.error is not None and self.raise_server_exceptions:
        raise side.error
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in answer.headers
        if not name.lower().startswith(_SERVERS_OWN)
    ]
    response = _httpx.Response(
        answer.status, headers=headers, stream=_httpx.ByteStream(answer.content), request=request
    )
    for name, value in side.debug.items():
        setattr(response, name, value)
    return response


async def _made(transport: Any, request: Any) -> AppSide:
    return AppSide(transport.app, _change_of(transport, request), transport.app_state)


class Session(testclient.WebSocketTestSession):
    """A websocket by the library `websockets`, told to the test in ASGI's messages."""

    def __init__(self, transport: Any, request: Any) -> None:
        super().__init__(transport.app, {}, transport.portal_factory)
        self._transport, self._request = transport, request
        self._side: AppSide | None = None

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        super().close(code, reason)
        self.portal.call(self._settle)

    async def _settle(self) -> None:
        """The application hears of it a little later than in one process."""
        if self._side is not None and self._side.began:
            with anyio.move_on_after(2):
                await self._side.over.wait()

    async def _run(self, *, task_status: anyio.abc.TaskStatus[anyio.CancelScope]) -> None:
        send_tx, self._send_rx = anyio.create_memory_object_stream[Any](1_000_000)
        self._receive_tx, receive_rx = anyio.create_memory_object_stream[Any](1_000_000)
        self._side = side = await _made(self._transport, self._request)
        opened, gone = threading.Event(), threading.Event()
        box: list[Any] = []

        def client(port: int) -> None:
            def tell(message: Any) -> None:
                anyio.from_thread.run_sync(send_tx.send_nowait, message)

            request = self._request
            given = [
                (name, value)
                for name, value in request.headers.multi_items()
                if not name.startswith(_CLIENTS_OWN)
            ]
            protocols = [
                part.strip()
                for part in request.headers.get("sec-websocket-protocol", "").split(",")
                if part.strip()
            ]
            url = f"ws://{_ADDRESS}{request.url.raw_path.decode()}"
            try:
                socket = connect(
                    url,
                    additional_headers=[*given, ("x-bridge", str(port))],
                    subprotocols=protocols or None,
                    user_agent_header=request.headers.get("user-agent"),
                    proxy=None,
                    max_size=None,
                    open_timeout=60,
                    compression=None,
                )
            except InvalidStatus as refused:
                if side.began:
                    anyio.from_thread.run(side.over.wait)
                if side.error is not None:  # it is raised below
                    anyio.from_thread.run_sync(send_tx.close)
                    return
                response = refused.response
                headers = [
                    (name.lower().encode(), value.encode())
                    for name, value in response.headers.raw_items()
                    if not name.lower().encode().startswith(_SERVERS_OWN)
                ]
                plain = response.status_code == 403 and not response.body
                tell(
                    {"type": "websocket.close", "code": 1000, "reason": ""}
                    if plain
                    else {
                        "type": "websocket.http.response.start",
                        "status": response.status_code,
                        "headers": headers,
                    }
                )
                if not plain:
                    tell({"type": "websocket.http.response.body", "body": response.body})
                gone.set()
                return
            box.append(socket)
            headers = [
                (name.lower().encode(), value.encode())
                for name, value in socket.response.headers.raw_items()
                if not name.lower().startswith((*_CLIENTS_OWN, "x-relive-", "traceparent", "date", "server"))
            ]
            tell({"type": "websocket.accept", "subprotocol": socket.subprotocol, "headers": headers})
            opened.set()
            try:
                while True:
                    data = socket.recv()
                    tell({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
            except ConnectionClosed:
                code = socket.protocol.close_code
                if socket.protocol.close_rcvd_then_sent is not False:
                    tell(
                        {
                            "type": "websocket.close",
                            "code": code if code is not None else 1006,
                            "reason": socket.protocol.close_reason or "",
                        }
                    )
            finally:
                gone.set()

        async def forward() -> None:
            async for message in receive_rx:
                if message["type"] == "websocket.connect":
                    continue
                await anyio.to_thread.run_sync(opened.wait, 60)
                if not box:
                    continue
                if message["type"] == "websocket.disconnect":
                    await anyio.to_thread.run_sync(
                        box[0].close, message.get("code") or 1000, message.get("reason") or ""
                    )
                else:
                    text = message.get("text")
                    try:
                        await anyio.to_thread.run_sync(
                            box[0].send, text if text is not None else message["bytes"]
                        )
                    except ConnectionClosed:
                        pass

        with send_tx, self._send_rx, self._receive_tx, receive_rx, anyio.CancelScope() as scope:
            task_status.started(scope)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(forward)
                try:
                    await _exchange(side, client)
                finally:
                    if box:
                        await anyio.to_thread.run_sync(box[0].close)
                if side.error is None:
                    await anyio.sleep_forever()
                tasks.cancel_scope.cancel()
        if side.error is not None:
            raise side.error


testclient._TestClientTransport.handle_request = handle_request  # type: ignore[method-assign]
