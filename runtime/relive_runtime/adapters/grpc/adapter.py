"""gRPC services: `handler` starts the application's own server, or adds its servicers to one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ReliveError
from relive_base.wire.messages import AnyFrame, Cancel, Invoke, Left, Stop, Wired

from relive_runtime.adapters.event.decoding import BadEvent
from relive_runtime.worker.start.namesakes import originals

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

    from relive_runtime.adapters.loaded import Loaded
    from relive_runtime.worker.beside.attempt import BesideAttempt
    from relive_runtime.worker.beside.desk import Desk

__all__ = ["GrpcAdapter", "NoServer"]

_CAPACITY: Final = 100  # calls at once on a connection
_RING_S: Final = 0.002
_AGE_S: Final = 1_800.0
"""How long a connection lasts; gRPC itself takes up to a tenth more or less."""


class NoServer(ReliveError):
    """The handler has started no server of gRPC."""

    __module__ = "builtins"  # users read its bare name


class GrpcAdapter:
    """One per worker. The application's server starts as this is made; what it serves is recorded once the
    worker serves."""

    websockets = False

    def __init__(self, loaded: Loaded) -> None:
        self._spec = spec = loaded.spec
        with originals():
            import asyncio

            self._loop: AbstractEventLoop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        servers, recorder = _modules()
        self._recorder = recorder.recorder(spec)
        self._servers = servers.Servers(self._recorder, spec.capacity or _CAPACITY, _AGE_S)
        self._servers.install()
        self._main: Task[Any] | None = None  # the handler, if it goes on while its server serves
        self._closed: BaseException | None = None
        self._stopping = False
        self._thread = get_ident()
        self._ringing = False  # it is due
        self._rung = 0.0
        self._loop.run_until_complete(self._start(loaded.function))
        self.capacity = spec.capacity or _CAPACITY
        self.wire = str(self._servers.port)
        """Where the worker listens, for connections that are spliced to it."""

    async def _start(self, function: Callable[..., Any]) -> None:
        if _wants_server(function):
            await self._fill(function)
            return
        made = function()
        if inspect.iscoroutine(made):
            self._main = self._loop.create_task(made)
            started = self._loop.create_task(self._servers.wait_started())
            await _first_of(self._main, started)
            if self._servers.port:
                return
            started.cancel()
            made = self._main.result()
        if hasattr(made, "add_insecure_port") and hasattr(made, "start"):
            await made.start()  # it has made a server, and leaves the rest to us
        if not self._servers.port:
            raise NoServer(
                f"{self._spec.handler} has returned, and has started no server of grpc.aio",
                where=self._spec.name,
                hint="write async def serve() that starts one, or def register(server) that adds servicers",
            )

    async def _fill(self, function: Callable[..., Any]) -> None:
        server = self._servers.make()
        done = function(server)
        if inspect.isawaitable(done):
            await done
        await server.start()

    # ------------------------------------------------------------ serving

    def serve_beside(self, desk: Desk) -> None:
        """Until Stop. Raises ChannelClosed if the server is gone."""
        loop = self._loop
        self._desk = desk
        desk.stop = self._stop
        desk.telling.ring = self._ring_soon
        self._recorder.desk = desk
        self._recorder.look = self._read
        desk.channel.on_commands = lambda: loop.call_soon_threadsafe(self._read)
        loop.add_reader(desk.channel.descriptor, self._read)
        desk.start(loop.call_soon_threadsafe)
        if self._main is not None:
            self._main.add_done_callback(self._main_ended)
        loop.call_soon(self._read)
        try:
            loop.run_forever()
            if self._closed is not None:
                raise self._closed
            loop.run_until_complete(self._shut_down())
        except (SystemExit, KeyboardInterrupt) as error:
            desk.ended(error)
        desk.send(Left())
        desk.ring()

    def _ring_soon(self) -> None:
        """The server looks at what was told: at once, but not more often than there is any use in. Nobody
        waits for it, as the clients have their answers already."""
        if get_ident() != self._thread:
            self._desk.ring()
        elif not self._ringing:
            wait_s = self._rung + _RING_S - self._loop.time()
            if wait_s <= 0:
                self._ring()
            else:
                self._ringing = True
                self._loop.call_later(wait_s, self._ring)

    def _ring(self) -> None:
        self._ringing = False
        self._rung = self._loop.time()
        self._desk.ring()

    def _read(self) -> None:
        try:
            frames = self._desk.channel.pump()
        except BaseException as error:
            self._closed = error
            self._loop.stop()
            return
        for frame in frames:
            self._take(frame)

    def _take(self, frame: AnyFrame) -> None:
        if isinstance(frame, Invoke):
            attempt = self._desk.begin(frame)
            error = BadEvent(
                "a gRPC service takes calls of gRPC only", hint="call it at its grpc trigger's port"
            )
            self._desk.failed(attempt, error, None)
        elif isinstance(frame, Wired):
            self._recorder.wired(frame.port, made=frame.made)
        elif isinstance(frame, Cancel):
            self._desk.cancel(frame.invocation_id)
        elif isinstance(frame, Stop):
            self._stopping = True
            self._loop.stop()
        else:
            self._desk.other(frame)

    async def _shut_down(self) -> None:
        """Clients are told to go elsewhere, what runs comes to its end, and the handler goes on behind its
        `wait_for_termination`."""
        grace_s = max(self._spec.timeout_s, self._spec.stop_timeout_s)
        await self._servers.server.stop(grace_s)
        main = self._main
        if main is not None and not main.done():
            with originals():
                import asyncio

            await asyncio.wait({main}, timeout=self._spec.stop_timeout_s)

    def _main_ended(self, main: Task[Any]) -> None:
        """The handler has come to its end: so does its worker."""
        if not self._stopping:
            error = None if main.cancelled() else main.exception()
            self._closed = error or NoServer(
                f"{self._spec.handler} has returned while its server was to serve", where=self._spec.name
            )
            self._loop.stop()

    def _stop(self, attempt: BesideAttempt) -> None:
        task = attempt.task
        if task is not None:
            self._loop.call_soon_threadsafe(task.cancel)


def _modules() -> tuple[Any, Any]:
    """What needs the function's own grpc. Raises NoServer."""
    try:
        from relive_runtime.adapters.grpc import recording, servers
    except ImportError as error:
        raise NoServer(
            "the function has no package grpc",
            hint="write grpcio into its requirements.txt",
        ) from error
    return servers, recording


def _wants_server(function: Callable[..., Any]) -> bool:
    """Whether it takes a server to add servicers to."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in kinds and one.default is inspect.Parameter.empty for one in parameters) == 1


async def _first_of(*tasks: Task[Any]) -> None:
    with originals():
        import asyncio

    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
