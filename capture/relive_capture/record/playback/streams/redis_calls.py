"""redis-py, sync and in an event loop: its own code speaks RESP with what was recorded."""

from __future__ import annotations

import asyncio
import json
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from relive_capture.bodies import body_bytes
from relive_capture.record.playback.answers import NotRecorded, is_abandoned, pause, rebuild
from relive_capture.record.playback.streams.pair import AnsweredSocket
from relive_capture.record.recording.streams.redis_calls import redis_place
from relive_capture.resp import HANDSHAKE, as_line, clean_pairs, commands, label, packed

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.recording_format import RecordedCall

__all__ = ["play_redis", "play_redis_asyncio"]

_HELLO: Final[dict[str, Any]] = {
    "$dict": [
        ["server", "redis"], ["version", "7.2.0"], ["proto", 3], ["id", 1], ["mode", "standalone"],
        ["role", "master"], ["modules", []],
    ]
}  # fmt: skip


class _Server:
    """Answers one connection. `whole`: what is sent at once is a whole request, as an event loop sends it;
    there nobody reads before there is an answer."""

    def __init__(self, player: PlayedCalls, origin: str, *, whole: bool) -> None:
        self._player = player
        self._whole = whole
        self._origin = origin
        self._sent = bytearray()
        self._failure: Exception | None = None
        self._pause_s = 0.0
        self._cut: NotRecorded | None = None
        self._version = 2
        self.refused: NotRecorded | None = None
        self.ended = False

    def sent(self, data: bytes) -> bytes:
        self._sent += data
        if not self._whole:
            return self._answer(certain=False)
        try:
            return self._answer(certain=True)
        except NotRecorded as error:  # a transport would make another error of it
            self.refused = error
            return b""

    def awaited(self) -> bytes:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        if self._cut is not None:
            raise self._cut
        return self._answer(certain=True)

    def _answer(self, *, certain: bool) -> bytes:
        """To what was sent so far; nothing while more may come that belongs to it, unless `certain`."""
        asked, used = commands(bytes(self._sent))
        if not asked:
            return b""
        recorded_call = self._recorded(asked, certain=certain and used == len(self._sent))
        if recorded_call is None:
            if not all(_name(command) in HANDSHAKE for command in asked):
                return b""
            del self._sent[:used]
            return b"".join(map(self._greeting, asked))
        del self._sent[:used]
        if not self._whole:
            pause(self._player.took_s(recorded_call))
        return self._played(recorded_call)

    def _recorded(self, asked: list[list[Any]], *, certain: bool) -> RecordedCall | None:
        player = self._player
        redactor = player.recorded_calls.redactor
        request = as_line([clean_pairs(command, redactor, command) for command in asked])
        method = _name(asked[0]) if len(asked) == 1 else "PIPELINE"
        statement = "; ".join(map(label, asked))[:1_000]
        found = player.recorded_calls.same_values(method, self._origin, statement, request)
        if found is not None or not certain or all(_name(command) in HANDSHAKE for command in asked):
            return found
        found = player.recorded_calls.take_values(method, self._origin, statement, request)
        if found is None:
            raise NotRecorded(f"Redis {statement[:200]} is not in the scene's recording", hint=player.hint)
        return found

    def _played(self, recorded_call: RecordedCall) -> bytes:
        body = recorded_call.response_body
        data = body_bytes(body)
        self.ended = body.complete and recorded_call.failure is None  # only the end of a connection says so
        if recorded_call.failure is not None and not is_abandoned(recorded_call):
            self._failure = rebuild(recorded_call.failure)
        if body.cut:
            what = recorded_call.statement[:200]
            self._cut = NotRecorded(f"the answer to Redis {what} is over a limit of the recording")
        return (
            b"".join(packed(json.loads(line), self._version) for line in data.split(b"\n")) if data else b""
        )

    def _greeting(self, command: list[Any]) -> bytes:
        """What a server says to a client that begins."""
        name = _name(command)
        if name == "HELLO":
            self._version = 3 if command[1:2] == ["3"] else 2
            return packed(
                _HELLO if self._version == 3 else [part for pair in _HELLO["$dict"] for part in pair]
            )
        if name == "PING":
            return b"+PONG\r\n" if len(command) == 1 else packed(command[1])
        if name == "CLIENT" and str(command[1:2]).upper() == "['MAINT_NOTIFICATIONS']":
            return b"-ERR unknown subcommand 'MAINT_NOTIFICATIONS'\r\n"
        return b"+OK\r\n"


def _name(command: list[Any]) -> str:
    return str(command[0]).upper()


def _connected(player: PlayedCalls, connection: Any, *, whole: bool) -> tuple[AnsweredSocket, _Server]:
    """Raises what connecting ended in."""
    origin, place = redis_place(connection)
    host, _, port = place.rpartition(":")
    failure = player.connection_failure(*((host, port) if host else (place, "")))
    if failure is not None:
        raise failure
    server = _Server(player, origin, whole=whole)
    return AnsweredSocket(server, (host or place, int(port) if port.isdigit() else 0)), server


def play_redis(player: PlayedCalls, module: ModuleType) -> None:
    """redis.connection."""
    for cls in (module.Connection, module.SSLConnection, module.UnixDomainSocketConnection):
        if "_connect" in vars(cls):
            player.undo.set(cls, "_connect", _played_connect(player, cls._connect))


def _played_connect(player: PlayedCalls, original: Any) -> Any:
    @wraps(original)
    def connect(self: Any, *_arguments: Any, **_options: Any) -> Any:
        sock, _ = _connected(player, self, whole=False)
        sock.settimeout(self.socket_timeout)
        return sock

    return connect


def play_redis_asyncio(player: PlayedCalls, module: ModuleType) -> None:
    """redis.asyncio.connection."""
    for cls in (module.Connection, module.UnixDomainSocketConnection):
        player.undo.set(cls, "_connect", _played_connect_async(player, cls._connect))
    base = module.AbstractConnection
    player.undo.set(base, "send_packed_command", _played_send(base.send_packed_command))


def _played_send(original: Any) -> Any:
    @wraps(original)
    async def send(self: Any, *arguments: Any, **options: Any) -> None:
        await original(self, *arguments, **options)
        server = getattr(self, "_relive_server", None)
        if server is not None and server.refused is not None:
            raise server.refused

    return send


def _played_connect_async(player: PlayedCalls, original: Any) -> Any:
    @wraps(original)
    async def connect(self: Any, *_arguments: Any, **_options: Any) -> None:
        sock, self._relive_server = _connected(player, self, whole=True)
        sock.setblocking(False)
        self._reader, self._writer = await asyncio.open_connection(sock=sock)

    return connect
