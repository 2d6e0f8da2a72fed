"""pymongo, sync and in an event loop: its own clients, sessions and cursors, with recorded messages.

No thread and no task of a client begins: which servers there are is known from the recording, and a server is
chosen at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.playback.answers import pause, pause_async, wait, wait_async
from relive_capture.record.playback.databases.answering import asked
from relive_capture.record.playback.databases.pymongo_server import Answers
from relive_capture.record.playback.databases.pymongo_topology import Clients, Refusal, mongo_error
from relive_capture.record.recording.databases.pymongo_calls import (
    CO_COROUTINE,
    NAMES,
    fqdn_of,
    hidden_draws,
    place_of,
    session_classes,
)

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play"]

_EVENTS: Final = "pymongo_events_thread"
_CLIENTS: Final = "_relive_clients"


def play(player: PlayedCalls, module: ModuleType) -> None:
    """One module of pymongo; what only gives the names of others is left alone."""
    part = module.__name__.rpartition(".")[2]
    own: Any = module
    if part == "periodic_executor":
        for name in ("PeriodicExecutor", "AsyncPeriodicExecutor"):
            cls = getattr(own, name, None)
            if cls is not None:
                player.undo.set(cls, "open", _open(cls.open))
    elif part == "auth" and getattr(own.authenticate, "__module__", "") == own.__name__:
        player.undo.set(own, "authenticate", _signed_in(own.authenticate))
    elif part == "srv_resolver" and own._SrvResolver.__module__ == own.__name__:
        for name in NAMES:
            put_name = _named(player, name, getattr(own._SrvResolver, name))
            player.undo.set(own._SrvResolver, name, put_name)
    elif part == "pool" and own.Pool.__module__ == own.__name__:
        _play_pool(player, own)
    elif part == "topology" and own.Topology.__module__ == own.__name__:
        _play_topology(player, own)


def _refusing(original: Any, refusal: Callable[[Any], Refusal | None]) -> Any:
    """A method, or a coroutine method, that first fails if `refusal` says so."""
    if original.__code__.co_flags & CO_COROUTINE:

        @wraps(original)
        async def asynchronous(self: Any, *arguments: Any, **options: Any) -> Any:
            found = refusal(self)
            if found is not None:
                await pause_async(found.took_s)
                if found.given_up:
                    await wait_async()
                raise mongo_error(found.raises)
            return await original(self, *arguments, **options)

        return asynchronous

    @wraps(original)
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        found = refusal(self)
        if found is not None:
            pause(found.took_s)
            if found.given_up:
                wait()
            raise mongo_error(found.raises)
        return original(self, *arguments, **options)

    return method


def _clients(player: PlayedCalls) -> Clients:
    found: Clients | None = player.__dict__.get(_CLIENTS)
    if found is None:
        found = player.__dict__[_CLIENTS] = Clients(player)
    return found


def _open(original: Any) -> Any:
    """What a monitor, and whoever closes cursors, does again and again is not begun."""

    @wraps(original)
    def opened(self: Any) -> None:
        if getattr(self, "_name", "") == _EVENTS:
            original(self)

    return opened


def _signed_in(original: Any) -> Any:
    if original.__code__.co_flags & CO_COROUTINE:

        @wraps(original)
        async def asynchronous(*_arguments: Any, **_options: Any) -> None: ...

        return asynchronous

    @wraps(original)
    def authenticate(*_arguments: Any, **_options: Any) -> None: ...

    return authenticate


def _named(player: PlayedCalls, name: str, original: Any) -> Any:
    """What names of `mongodb+srv` stood for."""

    def found(resolver: Any) -> Any:
        value = asked(player, name, f"mongodb+srv://{fqdn_of(resolver)}").next()
        if isinstance(value, dict):
            raise mongo_error(value["raises"])
        return value

    if original.__code__.co_flags & CO_COROUTINE:

        @wraps(original)
        async def asynchronous(resolver: Any) -> Any:
            return found(resolver)

        return asynchronous
    return wraps(original)(found)


# ---------------------------------------------------------------- connections


class _Socket:
    """In the place of a socket: it is never waited for."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._got = memoryview(b"")

    def sendall(self, data: Any) -> None:
        """A whole message."""
        self._answers.asked(bytes(data))

    def recv_into(self, buffer: Any, *_more: Any) -> int:
        """The next bytes of the answer. Raises what reading ended in."""
        if not self._got:
            answers = self._answers
            pause(answers.took_s())
            if answers.given_up():
                wait()
            self._got = memoryview(answers.next())
        count = min(len(buffer), len(self._got))
        buffer[:count] = self._got[:count]
        self._got = self._got[count:]
        return count

    def fileno(self) -> int:
        """As of one that is closed: nobody polls it."""
        return -1

    def gettimeout(self) -> None: ...

    def settimeout(self, seconds: float | None) -> None: ...

    def close(self) -> None: ...


class _Protocol:
    """In the place of asyncio's protocol of pymongo, and of its transport."""

    gettimeout = None

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def settimeout(self, seconds: float | None) -> None: ...

    async def write(self, message: bytes) -> None:
        """A whole message."""
        self._answers.asked(bytes(message))

    async def read(self, request_id: int | None, max_message_size: int) -> tuple[bytes, int]:
        """The next message without its head, and its code. Raises what reading ended in."""
        answers = self._answers
        await pause_async(answers.took_s())
        if answers.given_up():
            await wait_async()
        message = answers.next()
        return message[16:], int.from_bytes(message[12:16], "little")

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def close(self, *_more: Any) -> None: ...

    async def wait_closed(self) -> None: ...


def _play_pool(player: PlayedCalls, module: Any) -> None:
    put, clients = player.undo.set, _clients(player)

    def interface(address: Any, *_more: Any, **_options: Any) -> Any:
        made = _Socket(Answers(player, place_of(address), clients.hello(address)))
        return sys.modules["pymongo.network_layer"].NetworkingInterface(made)

    def plain(address: Any, *_more: Any, **_options: Any) -> Any:
        return _Socket(Answers(player, place_of(address), clients.hello(address)))

    async def asynchronous(address: Any, *_more: Any, **_options: Any) -> Any:
        made = _Protocol(Answers(player, place_of(address), clients.hello(address)))
        return sys.modules["pymongo.network_layer"].AsyncNetworkingInterface((made, made))

    for name, played in (
        ("_configured_socket_interface", interface),
        ("_configured_socket", plain),
        ("_configured_protocol_interface", asynchronous),
    ):
        if hasattr(module, name):
            put(module, name, played)

    put(module.Pool, "connect", _refusing(hidden_draws(module.Pool.connect), clients.connects))
    for name in ("Connection", "AsyncConnection", "SocketInfo"):
        cls = getattr(module, name, None)
        if cls is not None:
            put(cls, "conn_closed" if hasattr(cls, "conn_closed") else "socket_closed", _never)


def _never(_connection: Any) -> bool:
    return False


# ---------------------------------------------------------------- clients


def _play_topology(player: PlayedCalls, module: Any) -> None:
    cls, clients = module.Topology, _clients(player)
    select = cls.select_servers
    for session in session_classes():
        if not hasattr(session.__init__, "_relive"):
            player.undo.set(session, "__init__", hidden_draws(session.__init__))
    if select.__code__.co_flags & CO_COROUTINE:

        @wraps(select)
        async def asynchronous(self: Any, *arguments: Any, **options: Any) -> Any:
            async with self._lock:
                await self._ensure_opened()
                ready = clients.shown(self)
                await self._update_servers()
            for address in ready:
                await self._servers[address].pool.ready()
            return await select(self, *arguments, **options)

        player.undo.set(cls, "select_servers", _refusing(asynchronous, clients.selects))
        return

    @wraps(select)
    def selected(self: Any, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            self._ensure_opened()
            ready = clients.shown(self)
            self._update_servers()
        for address in ready:
            self._servers[address].pool.ready()
        return select(self, *arguments, **options)

    player.undo.set(cls, "select_servers", _refusing(selected, clients.selects))
