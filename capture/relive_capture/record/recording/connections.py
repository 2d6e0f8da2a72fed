"""Connections of any protocol: which were opened, and how those failed that were not."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from relive_base.unseen import without_this_frame

from relive_capture.record.recording.recorded import INSIDE, CallRecording, CallRecordingHolder

__all__ = ["patch_asyncio", "patch_sockets", "patch_ssl", "patch_urllib3"]


def patch_sockets(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """socket.create_connection, and connect of a socket."""
    module.create_connection = _recorded_create(recorder, module.create_connection)  # type: ignore[attr-defined]
    cls = module.socket
    connect = cls.connect

    @wraps(connect)
    def recorded(self: Any, *arguments: Any, **options: Any) -> None:
        kept_calls = None if INSIDE.get() else recorder.kept_calls
        address = arguments[0] if arguments else None
        try:
            connect(self, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if not issubclass(type(error), BlockingIOError):  # it goes on: whoever waits for it will see
                _failed(kept_calls, "socket", address, error)
            raise
        _opened(kept_calls, address)

    cls.connect = recorded


def patch_urllib3(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """urllib3.util.connection.create_connection: it has its own."""
    module.create_connection = _recorded_create(recorder, module.create_connection)  # type: ignore[attr-defined]


def _recorded_create(recorder: CallRecordingHolder, create_connection: Any) -> Any:
    @wraps(create_connection)
    def recorded(address: Any, *arguments: Any, **options: Any) -> Any:
        kept_calls = None if INSIDE.get() else recorder.kept_calls
        token = INSIDE.set(True) if kept_calls is not None else None
        try:
            found = create_connection(address, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            _failed(kept_calls, "socket", address, error)
            raise
        finally:
            if token is not None:
                INSIDE.reset(token)
        _opened(kept_calls, address)
        return found

    return recorded


def patch_asyncio(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """create_connection of asyncio's own event loop."""
    cls = module.BaseEventLoop
    create_connection = cls.create_connection

    @wraps(create_connection)
    async def recorded(
        self: Any, factory: Any, host: Any = None, port: Any = None, *arguments: Any, **options: Any
    ) -> Any:
        kept_calls = None if INSIDE.get() else recorder.kept_calls
        kept_calls = None if host is None else kept_calls
        token = INSIDE.set(True) if kept_calls is not None else None
        try:
            found = await create_connection(self, factory, host, port, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            _failed(kept_calls, "asyncio", (host, port), error)
            raise
        finally:
            if token is not None:
                INSIDE.reset(token)
        _opened(kept_calls, (host, port))
        return found

    cls.create_connection = recorded


def patch_ssl(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """A TLS handshake that fails."""
    context = module.SSLContext
    wrap_socket = context.wrap_socket

    @wraps(wrap_socket)
    def recorded(self: Any, sock: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return wrap_socket(self, sock, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            kept_calls = None if INSIDE.get() else recorder.kept_calls
            name = options.get("server_hostname")
            if kept_calls is not None and type(name) is str and issubclass(type(error), Exception):
                kept_calls.not_connected("ssl", name, error, "tls")
            raise

    context.wrap_socket = recorded


def _failed(kept_calls: CallRecording | None, library: str, address: Any, error: BaseException) -> None:
    place = _place(address) if kept_calls is not None and issubclass(type(error), Exception) else ""
    if kept_calls is not None and place:
        kept_calls.not_connected(library, place, error, "connect")


def _opened(kept_calls: CallRecording | None, address: Any) -> None:
    place = _place(address) if kept_calls is not None else ""
    if kept_calls is not None and place:
        kept_calls.connected(place)


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
