"""A gateway whose websockets are served in the test's own event loop: both ends are ours, and between them
messages go through their encoding, but no process and no engine is started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from relive_base.ids import new_invocation_ids
from relive_base.records import InvocationRecord
from relive_base.wire.messages import (
    ErrorInfo,
    Frame,
    Result,
    decode_frame,
    encode_payload,
)
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.triggers.http.app import Gateway
from relive_platform.triggers.http.connections.listener import HttpListener
from relive_platform.triggers.http.routes import Policy, Routes
from relive_platform.triggers.http.sockets.limits import SocketLimits
from relive_runtime.adapters.asgi.websocket import Socket

__all__ = ["App", "LocalSockets", "echo", "local_sockets"]

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Sends back what comes."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        answer = {"type": "websocket.send"}
        answer |= {name: event[name] for name in ("text", "bytes") if event.get(name) is not None}
        await send(answer)


class LocalSockets:
    """Stands for the dispatcher and a worker: applications by function name."""

    def __init__(self, apps: dict[str, App]) -> None:
        self.pools = dict.fromkeys(apps)
        self.pool = SimpleNamespace(draining=False)
        self.versions = {(name, 1): self.pool for name in apps}
        self.outcomes: list[Outcome] = []
        self.sent: list[Frame] = []  # from applications
        self._apps = apps
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, request: InvokeRequest, waiter: Any) -> None:
        """An attempt begins at once."""
        task = asyncio.get_running_loop().create_task(self._run(request, waiter))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, request: InvokeRequest, waiter: Any) -> None:
        invocation_id, trace_id, span_id, trigger_span_id = new_invocation_ids()
        record = InvocationRecord(
            invocation_id=invocation_id,
            function=request.function,
            version=1,
            trace_id=trace_id,
            span_id=span_id,
            trigger_span_id=trigger_span_id,
        )

        def up(frame: Frame) -> None:
            again = decode_frame(encode_payload(frame))
            self.sent.append(again)
            waiter.take_socket(record, again)

        socket = Socket(invocation_id, up, asyncio.get_running_loop(), 1_000_000)

        class WorkerEnd:
            def send(self, frame: Frame) -> None:
                socket.take(decode_frame(encode_payload(frame)))

            def gone(self) -> None:
                socket.lose()

        waiter.begin_body(record, WorkerEnd())
        result = Result(invocation_id=invocation_id, status="ok", started_ns=1, ended_ns=2)
        try:
            scope = {"type": "websocket", "path": request.http.path if request.http else "/"}
            await self._apps[request.function](scope, socket.receive, socket.send)
            answer = socket.answer()
            result.http_status, result.body, result.headers = answer.status, answer.body, answer.headers
        except Exception as error:
            record.status = result.status = "error"
            record.error = result.error = ErrorInfo(type=type(error).__name__, message=str(error))
        outcome = Outcome(record, result)
        self.outcomes.append(outcome)
        waiter.prepare(outcome)
        waiter.set_result(outcome)


@asynccontextmanager
async def local_sockets(
    apps: dict[str, App], **limits: Any
) -> AsyncIterator[tuple[str, LocalSockets, Gateway]]:
    """Their address, without the path `/fn/NAME`; what serves them, and the gateway."""
    serving = LocalSockets(apps)
    gateway = Gateway(serving, None, sockets=SocketLimits(**limits))  # type: ignore[arg-type]
    gateway.routes = Routes((), {name: Policy(service=True) for name in apps})
    listener = HttpListener(gateway)
    await listener.start("127.0.0.1", 0)
    try:
        yield listener.address.replace("http://", "ws://"), serving, gateway
    finally:
        await listener.close()
        for task in list(serving.tasks):
            task.cancel()
