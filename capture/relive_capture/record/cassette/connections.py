"""Connections of any protocol: which were opened, and how those failed that were not."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from relive_capture.record.cassette.tape import INSIDE, Tape, TapeHolder

__all__ = ["patch_asyncio", "patch_sockets", "patch_ssl", "patch_urllib3"]


def patch_sockets(recorder: TapeHolder, module: ModuleType) -> None:
    """socket.create_connection, and connect of a socket."""
    module.create_connection = _recorded_create(recorder, module.create_connection)  # type: ignore[attr-defined]
    cls = module.socket
    connect = cls.connect

    @wraps(connect)
    def recorded(self: Any, address: Any, /) -> None:
        tape = None if INSIDE.get() else recorder.tape
        if tape is None:
            connect(self, address)
            return
        try:
            connect(self, address)
        except BlockingIOError:  # it goes on: whoever waits for it will see
            raise
        except Exception as error:
            _failed(tape, "socket", address, error)
            raise
        _opened(tape, address)

    cls.connect = recorded


def patch_urllib3(recorder: TapeHolder, module: ModuleType) -> None:
    """urllib3.util.connection.create_connection: it has its own."""
    module.create_connection = _recorded_create(recorder, module.create_connection)  # type: ignore[attr-defined]


def _recorded_create(recorder: TapeHolder, create_connection: Any) -> Any:
    @wraps(create_connection)
    def recorded(address: Any, *arguments: Any, **options: Any) -> Any:
        tape = None if INSIDE.get() else recorder.tape
        if tape is None:
            return create_connection(address, *arguments, **options)
        token = INSIDE.set(True)
        try:
            found = create_connection(address, *arguments, **options)
        except Exception as error:
            _failed(tape, "socket", address, error)
            raise
        finally:
            INSIDE.reset(token)
        _opened(tape, address)
        return found

    return recorded


def patch_asyncio(recorder: TapeHolder, module: ModuleType) -> None:
    """create_connection of asyncio's own event loop."""
    cls = module.BaseEventLoop
    create_connection = cls.create_connection

    @wraps(create_connection)
    async def recorded(
        self: Any, factory: Any, host: Any = None, port: Any = None, *arguments: Any, **options: Any
    ) -> Any:
        tape = None if INSIDE.get() else recorder.tape
        if tape is None or host is None:
            return await create_connection(self, factory, host, port, *arguments, **options)
        token = INSIDE.set(True)
        try:
            found = await create_connection(self, factory, host, port, *arguments, **options)
        except Exception as error:
            _failed(tape, "asyncio", (host, port), error)
            raise
        finally:
            INSIDE.reset(token)
        _opened(tape, (host, port))
        return found

    cls.create_connection = recorded


def patch_ssl(recorder: TapeHolder, module: ModuleType) -> None:
    """A TLS handshake that fails."""
    context = module.SSLContext
    wrap_socket = context.wrap_socket

    @wraps(wrap_socket)
    def recorded(self: Any, sock: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return wrap_socket(self, sock, *arguments, **options)
        except Exception as error:
            tape = None if INSIDE.get() else recorder.tape
            name = options.get("server_hostname")
            if tape is not None and type(name) is str:
                tape.not_connected("ssl", name, error, "tls")
            raise

    context.wrap_socket = recorded


def _failed(tape: Tape, library: str, address: Any, error: Exception) -> None:
    place = _place(address)
    if place:
        tape.not_connected(library, place, error, "connect")


def _opened(tape: Tape, address: Any) -> None:
    place = _place(address)
    if place:
        tape.connected(place)


def _place(address: Any) -> str:
    """ "host:port", a path, or "" for what is neither. No method of the user's is called."""
    if type(address) is str:
        return address
    if (
        type(address) is tuple
        and len(address) > 1
        and type(address[0]) is str
        and type(address[1]) in (int, str)
    ):
        return f"{address[0]}:{address[1]}"
    return ""
