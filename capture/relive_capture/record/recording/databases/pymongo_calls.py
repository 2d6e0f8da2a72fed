"""pymongo, sync and in an event loop: messages of its connections, and which servers its clients knew.

Messages are kept as bytes, before TLS, and taken apart outside of this process if the invocation fails. What
monitors and other threads of a client do is no part of an invocation.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, Final

from relive_base.unseen import without_this_frame

from relive_capture.record.recording.databases.pymongo_topology import Servers, fact, raised
from relive_capture.record.recording.databases.queries import answer, begin, exception_parts, fails
from relive_capture.record.recording.recorded import INSIDE, Call, CallRecordingHolder
from relive_capture.record.recording.streams.tap import Tap, is_tapped, look_like, tap_socket

__all__ = [
    "CO_COROUTINE",
    "LIBRARY",
    "NAMES",
    "fqdn_of",
    "hidden_draws",
    "is_monitoring",
    "place_of",
    "record",
    "seeds_of",
    "session_classes",
]

CO_COROUTINE: Final = 0x80
"""The flag of the code of coroutine functions; `inspect` is not imported for it."""
LIBRARY: Final = "pymongo"
FORM: Final = "mongo"
NAMES: Final = ("get_hosts", "get_options")
"""Methods that ask for names."""
_TAP: Final = "_relive_tap"
_NAME: Final = slice(26, 34)  # where the name of a command begins, in a message that is not compressed
_UNKEPT: Final = frozenset((b"killCurs", b"endSessi", b"saslStar", b"saslCont", b"authenti"))
"""Commands whose answers nobody reads, and those that sign in."""


def place_of(address: Any) -> str:
    """A server's address as an origin."""
    host, port = address
    host = f"[{host}]" if ":" in host else host
    return f"mongodb://{host}" if port is None else f"mongodb://{host}:{port}"


def seeds_of(topology: Any) -> str:
    """The addresses that a client was given."""
    return "mongodb://" + ",".join(sorted(place_of(seed)[10:] for seed in topology._seed_addresses))


def fqdn_of(resolver: Any) -> str:
    """Whose servers it looks for."""
    return str(vars(resolver).get("_SrvResolver__fqdn"))


def is_monitoring(pool: Any) -> bool:
    """Whether it is the pool of a monitor."""
    return bool(getattr(pool, "is_sdam", not getattr(pool, "handshake", True)))


def session_classes() -> list[Any]:
    """Where a session gets its id."""
    names = ("pymongo.client_session_shared", "pymongo.synchronous.client_session", "pymongo.client_session")
    found = [getattr(sys.modules.get(name), "_ServerSession", None) for name in names]
    found.append(getattr(sys.modules.get("pymongo.asynchronous.client_session"), "_ServerSession", None))
    return [cls for cls in dict.fromkeys(found) if isinstance(cls, type)]


def hidden_draws(original: Any) -> Any:
    """A method, or a coroutine method, that draws random bytes of its own: they are not the function's."""

    if original.__code__.co_flags & CO_COROUTINE:

        @wraps(original)
        async def asynchronous(*arguments: Any, **options: Any) -> Any:
            token = INSIDE.set(True)
            try:
                return await original(*arguments, **options)
            except BaseException as error:
                without_this_frame(error)
                raise
            finally:
                INSIDE.reset(token)

        return asynchronous

    @wraps(original)
    def method(*arguments: Any, **options: Any) -> Any:
        token = INSIDE.set(True)
        try:
            return original(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise
        finally:
            INSIDE.reset(token)

    found: Any = method
    found._relive = True
    return found


def _around(original: Any, before: Callable[..., Any], after: Callable[..., None]) -> Any:
    """A method, or a coroutine method, with `before(self, *arguments)` before it and
    `after(self, what that gave, result, error)` after it. What connects in it is a part of it."""
    if original.__code__.co_flags & CO_COROUTINE:

        @wraps(original)
        async def asynchronous(self: Any, *arguments: Any, **options: Any) -> Any:
            state = before(self, *arguments, **options)
            token = INSIDE.set(True)
            try:
                result = await original(self, *arguments, **options)
            except BaseException as error:
                without_this_frame(error)
                after(self, state, None, error)
                raise
            finally:
                INSIDE.reset(token)
            after(self, state, result, None)
            return result

        return asynchronous

    @wraps(original)
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        state = before(self, *arguments, **options)
        token = INSIDE.set(True)
        try:
            result = original(self, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            after(self, state, None, error)
            raise
        finally:
            INSIDE.reset(token)
        after(self, state, result, None)
        return result

    return method


_sendall, _recv_into = socket.socket.sendall, socket.socket.recv_into


class _MongoTap(Tap):
    """Of one connection that has signed in. Each message that goes out is a call."""

    __slots__ = ("_left", "compressed")

    def __init__(self, holder: CallRecordingHolder, origin: str, *, compressed: bool) -> None:
        super().__init__(holder, FORM, LIBRARY, origin)
        self.compressed = compressed
        self._left = 0  # bytes of the message that goes out

    def sent(self, data: Any) -> None:
        if self._left <= 0:
            kept_calls = self._holder.kept_calls
            if kept_calls is None:
                self._call = None
                return
            self._left = int.from_bytes(data[:4], "little")
            unkept = bytes(data[_NAME]) in _UNKEPT
            self._call = None if unkept else kept_calls.call(FORM, LIBRARY, self._origin)
            if self.compressed and self._call is not None:
                self._call.later.append(_Plain(self._call))
        self._left -= len(data)
        if self._call is not None:
            self._call.sent(data)

    def failed(self, error: BaseException) -> None:
        """A socket's errors are its own: some are tried again."""

    def broke(self, error: BaseException) -> None:
        """The connection is of no use any more."""
        call = self._call
        if call is not None:
            call.failed(error, "response" if call.answered else "send")


class _Tapped(socket.socket):
    """What `streams/tap.py` does, for a client that sends each message at once and reads into its own
    memory."""

    __slots__ = ("_relive_tap",)
    _relive_tap: _MongoTap

    def sendall(self, data: Any, *flags: Any) -> None:
        self._relive_tap.sent(data)
        try:
            _sendall(self, data, *flags)
        except BaseException as error:
            without_this_frame(error)
            raise

    def recv_into(self, buffer: Any, *rest: Any) -> int:
        try:
            count = _recv_into(self, buffer, *rest)
        except BaseException as error:
            without_this_frame(error)
            raise
        call = self._relive_tap._call
        if call is not None and count:
            if not call.answered:
                call.answer_begins()
                call.timed()
            call.received(buffer if len(buffer) == count else buffer[:count])
        return count


look_like(_Tapped, socket.socket)


def _tapped(sock: Any, tap: _MongoTap) -> Any:
    if type(sock) is not socket.socket:
        return tap_socket(sock, tap)
    timeout = sock.gettimeout()
    made = _Tapped(sock.family, sock.type, sock.proto, fileno=sock.detach())
    made.settimeout(timeout)
    made._relive_tap = tap
    return made


class _Plain:
    """A call's messages without compression, once it is told."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __call__(self) -> None:
        call = self._call
        decompress: Any = sys.modules["pymongo.compression_support"].decompress
        call.request[:] = _plain(b"".join(call.request), decompress)
        call.response[:] = _plain(b"".join(call.response), decompress)


def _plain(data: bytes, decompress: Any) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        message = data[at : at + size]
        if int.from_bytes(message[12:16], "little") == 2012 and len(message) == size:
            content = bytes(_decompressed(decompress, message))
            head = (16 + len(content)).to_bytes(4, "little") + message[4:12] + message[16:20]
            message = head + content
        found.append(message)
        at += max(size, 16)
    return found


def _decompressed(decompress: Any, message: bytes) -> Any:
    number = message[24]
    try:
        return decompress(message[25:], number)
    except TypeError:  # newer ones want to know how much it may become
        return decompress(message[25:], number, int.from_bytes(message[20:24], "little"))


# ---------------------------------------------------------------- connections


def _record_pool(recorder: CallRecordingHolder, module: Any) -> None:
    cls = module.Pool

    def before(pool: Any, handler: Any = None, *_more: Any, **_options: Any) -> tuple[int, bool]:
        return time.time_ns(), handler is not None

    def after(pool: Any, state: tuple[int, bool], connection: Any, error: BaseException | None) -> None:
        if is_monitoring(pool):
            return
        try:
            if error is None:
                _tap(recorder, connection)
            elif state[1]:
                _refused(recorder, pool, state[0], error)
        except Exception:  # of another version: it goes unrecorded
            return

    cls.connect = _around(cls.connect, before, after)
    for name in ("Connection", "AsyncConnection", "SocketInfo"):
        found = getattr(module, name, None)
        if found is not None and "_raise_connection_failure" in vars(found):
            found._raise_connection_failure = _broken(found._raise_connection_failure)


def _tap(recorder: CallRecordingHolder, connection: Any) -> None:
    attribute = "conn" if hasattr(connection, "conn") else "sock"
    interface = getattr(connection, attribute)
    compressed = getattr(connection, "compression_context", None) is not None
    tap = _MongoTap(recorder, place_of(connection.address), compressed=compressed)
    connection.__dict__[_TAP] = tap
    inner = getattr(interface, "get_conn", interface)
    if hasattr(inner, "buffer_updated"):  # a protocol of asyncio
        inner.__dict__[_TAP] = tap
        return
    tapped = _tapped(inner, tap)
    if type(tapped) is not _Tapped and not is_tapped(tapped):
        kept_calls = recorder.kept_calls
        if kept_calls is not None:
            kept_calls.connected(place_of(connection.address)[10:])  # it is named
    elif inner is interface:
        setattr(connection, attribute, tapped)
    else:
        interface.conn = tapped


def _refused(recorder: CallRecordingHolder, pool: Any, started_ns: int, error: BaseException) -> None:
    kept_calls = recorder.kept_calls
    if kept_calls is None:
        return
    call = kept_calls.call(FORM, LIBRARY, place_of(pool.address), "connect")
    call.raw.started_ns = started_ns
    call.failed(error, "connect")
    call.answered = True
    parts = raised(error, exception_parts(error))
    call.later.append(lambda: fact(call, {"raises": parts}))


def _broken(original: Any) -> Any:
    def note(self: Any, error: BaseException) -> None:
        tap = self.__dict__.get(_TAP)
        if tap is not None:
            tap.broke(error)

    if original.__code__.co_flags & CO_COROUTINE:

        @wraps(original)
        async def asynchronous(self: Any, error: BaseException) -> Any:
            note(self, error)
            try:
                return await original(self, error)
            except BaseException as raised:
                without_this_frame(raised)
                raise

        return asynchronous

    @wraps(original)
    def method(self: Any, error: BaseException) -> Any:
        note(self, error)
        try:
            return original(self, error)
        except BaseException as raised:
            without_this_frame(raised)
            raise

    return method


def _record_protocol(cls: Any) -> None:
    """What asyncio's protocol of pymongo writes and reads, message by message."""
    write, read = cls.write, cls.read

    @wraps(write)
    async def recorded_write(self: Any, message: bytes) -> None:
        tap: _MongoTap | None = self.__dict__.get(_TAP)
        if tap is not None:
            tap.sent(message)
        try:
            await write(self, message)
        except BaseException as error:
            without_this_frame(error)
            raise

    @wraps(read)
    async def recorded_read(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            found = await read(self, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise
        tap: _MongoTap | None = self.__dict__.get(_TAP)
        if tap is not None:
            data, code = found
            head = (16 + len(data)).to_bytes(4, "little") + bytes(8) + code.to_bytes(4, "little")
            tap.received(head + bytes(data))
        return found

    cls.write, cls.read = recorded_write, recorded_read


# ---------------------------------------------------------------- clients


def _note_choice(
    recorder: CallRecordingHolder, topology: Any, started_ns: int, error: BaseException | None
) -> None:
    """A client has chosen a server, or could not."""
    kept_calls = recorder.kept_calls
    if kept_calls is None or not kept_calls.open:
        return
    try:
        known = kept_calls.known.get(id(topology))
        if known is None or known.topology() is not topology:
            call = kept_calls.call(FORM, LIBRARY, seeds_of(topology), "open")
            known = kept_calls.known[id(topology)] = Servers(call, topology)
        known.selected(topology._description)
        if error is None or type(error).__name__ == "InvalidOperation":
            return  # which is raised again by itself
        call = kept_calls.call(FORM, LIBRARY, seeds_of(topology), "select")
        call.raw.started_ns = started_ns
        call.failed(error, "connect")
        call.answered = True
        at, parts = known.count, raised(error, exception_parts(error))
        call.later.append(lambda: fact(call, {"at": at, "raises": parts}))
    except Exception:  # of another version: it goes unrecorded
        return


def _record_choices(recorder: CallRecordingHolder, select: Any) -> Any:
    if select.__code__.co_flags & CO_COROUTINE:

        @wraps(select)
        async def asynchronous(self: Any, *arguments: Any, **options: Any) -> Any:
            started_ns = time.time_ns()
            try:
                found = await select(self, *arguments, **options)
            except BaseException as error:
                without_this_frame(error)
                _note_choice(recorder, self, started_ns, error)
                raise
            _note_choice(recorder, self, started_ns, None)
            return found

        return asynchronous

    @wraps(select)
    def selected(self: Any, *arguments: Any, **options: Any) -> Any:
        started_ns = time.time_ns()
        try:
            found = select(self, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            _note_choice(recorder, self, started_ns, error)
            raise
        _note_choice(recorder, self, started_ns, None)
        return found

    return selected


def _record_topology(recorder: CallRecordingHolder, cls: Any) -> None:
    cls.select_servers = _record_choices(recorder, cls.select_servers)
    for session in session_classes():
        if not hasattr(session.__init__, "_relive"):
            session.__init__ = hidden_draws(session.__init__)


def _record_names(recorder: CallRecordingHolder, cls: Any) -> None:
    """What names of `mongodb+srv` stand for."""

    def note(name: str) -> Any:
        def after(resolver: Any, started_ns: int, found: Any, error: BaseException | None) -> None:
            kept_calls = recorder.kept_calls
            if kept_calls is None:
                return
            call = begin(kept_calls, LIBRARY, f"mongodb+srv://{fqdn_of(resolver)}", name)
            call.raw.started_ns = started_ns
            if error is None:
                answer(call, found)
            else:
                fails(call, error)

        return _around(getattr(cls, name), lambda *_all: time.time_ns(), after)

    for name in NAMES:
        setattr(cls, name, note(name))


def record(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """One module of pymongo; what only gives the names of others is left alone."""
    part = module.__name__.rpartition(".")[2]
    if part == "network_layer":
        if hasattr(module, "PyMongoProtocol"):
            _record_protocol(module.PyMongoProtocol)
    elif part == "pool" and module.Pool.__module__ == module.__name__:
        _record_pool(recorder, module)
    elif part == "srv_resolver" and module._SrvResolver.__module__ == module.__name__:
        _record_names(recorder, module._SrvResolver)
    elif part == "topology" and module.Topology.__module__ == module.__name__:
        _record_topology(recorder, module.Topology)
