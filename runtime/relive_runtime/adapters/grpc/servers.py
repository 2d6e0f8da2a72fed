"""The application's own server, wherever and however it makes it: recorded, and reached by the platform.

`grpc.aio.Server` itself is changed, so that code which has imported it in any way gets it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

import grpc
import grpc.aio
from relive_base.errors import ReliveError

from relive_runtime.adapters.grpc.handlers import RecordingHandlers
from relive_runtime.adapters.grpc.interceptor import RecordingInterceptor
from relive_runtime.adapters.grpc.recording import CallRecorder

__all__ = ["Servers"]

_ADDRESS: Final = "127.0.0.1:0"
_PORT: Final = re.compile(r".*:(\d{1,5})")
_MS: Final = 1_000


class Servers:
    """The servers of this process; one of them is served. `port` is where, on loopback, once it has
    started."""

    def __init__(self, recorder: CallRecorder, capacity: int, age_s: float) -> None:
        """`capacity`: calls at once on a connection. `age_s`: of a connection; then its client opens
        another, which may lead to another worker."""
        self.server: Any = None
        self.port = 0
        self._recorder = recorder
        self._started = asyncio.Event()
        self._options = {
            "grpc.so_reuseport": 0,  # nobody else of this user shares the port
            "grpc.max_concurrent_streams": capacity,
            "grpc.max_connection_age_ms": int(age_s * _MS),
        }
        self._ports: dict[int, int] = {}  # by the server's id

    def install(self) -> None:
        """From now on every server of grpc.aio is one of ours."""
        kind = grpc.aio.Server
        known: Any = grpc.aio._server.Server if hasattr(grpc.aio, "_server") else kind
        made, started = known.__init__, known.start
        servers = self

        def __init__(
            server: Any,
            thread_pool: Any,
            generic_handlers: Any,
            interceptors: Sequence[Any] | None,
            options: Any,
            maximum_concurrent_rpcs: Any,
            compression: Any,
            *more: Any,
        ) -> None:
            recorder = servers._recorder
            handlers = server._relive_handlers = RecordingHandlers(recorder, begins=not interceptors)
            handlers.add(generic_handlers or ())
            own = (RecordingInterceptor(recorder), *interceptors) if interceptors else None
            merged = servers._merged(options)
            made(
                server,
                thread_pool,
                (handlers,),
                own,
                merged,
                maximum_concurrent_rpcs,
                compression,
                *more,
            )

        def add_generic_rpc_handlers(server: Any, handlers: Any) -> None:
            server._relive_handlers.add(handlers)

        def add_registered_method_handlers(server: Any, service: str, handlers: Any) -> None:
            named = {f"/{service}/{method}": handler for method, handler in handlers.items()}
            server._relive_handlers.register(named)

        def add_insecure_port(server: Any, address: str) -> int:
            return servers._bind(server, address)

        def add_secure_port(server: Any, address: str, _credentials: Any) -> int:
            return servers._bind(server, address)

        async def start(server: Any) -> None:
            servers._choose(server)
            await started(server)
            servers.port = servers._ports[id(server)]
            servers._started.set()

        grpc.server = _refused
        known.__init__ = __init__
        known.add_generic_rpc_handlers = add_generic_rpc_handlers
        known.add_registered_method_handlers = add_registered_method_handlers
        known.add_insecure_port = add_insecure_port
        known.add_secure_port = add_secure_port
        known.start = start

    def make(self) -> Any:
        """A server, for an application that adds its servicers to one."""
        return grpc.aio.server()

    async def wait_started(self) -> None:
        """Until one serves."""
        await self._started.wait()

    def _merged(self, options: Any) -> list[tuple[str, Any]]:
        """The application's own options win, but for the one that guards its port."""
        given = [(name, value) for name, value in options or () if name != "grpc.so_reuseport"]
        names = {name for name, _ in given}
        return [*given, *((name, value) for name, value in self._options.items() if name not in names)]

    def _bind(self, server: Any, address: str) -> int:
        """Whatever address it asks for, it listens on loopback, once. The port that it has asked for."""
        if id(server) not in self._ports:
            port = server._server.add_insecure_port(_ADDRESS.encode())
            if not port:
                raise ReliveError("the gRPC server found no free port on 127.0.0.1")
            self._ports[id(server)] = port
        found = _PORT.fullmatch(address)
        return int(found[1]) if found and int(found[1]) else self._ports[id(server)]

    def _choose(self, server: Any) -> None:
        if self.server is not None and self.server is not server:
            raise ReliveError(
                "the function starts a second gRPC server",
                hint="add all servicers to one server, or make it two functions",
            )
        self.server = server
        if id(server) not in self._ports:
            self._bind(server, "")


def _refused(*_arguments: Any, **_named: Any) -> Any:
    """In the place of `grpc.server`: it would block the handler, and its calls would not be seen."""
    raise ReliveError(
        "the function starts a gRPC server with a pool of threads",
        hint="write grpc.aio.server() in place of grpc.server(...); its servicers may stay plain functions",
    )
