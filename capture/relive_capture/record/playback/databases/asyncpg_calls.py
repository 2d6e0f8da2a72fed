"""asyncpg: its own protocols, given the messages that a server would send for what they write."""

from __future__ import annotations

import asyncio
import inspect
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.playback.databases.answering import connection, exception, taken
from relive_capture.record.recording.databases.asyncpg_calls import Portals, Statement, asked, target_of
from relive_capture.record.recording.databases.pg_messages import (
    columns_message,
    command_message,
    error_message,
    message,
    messages,
    row_message,
)

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.record.playback.typed import TypedAnswer

__all__ = ["play"]

_ERRORS: Final = ("builtins", "asyncpg.exceptions", "asyncpg.exceptions._base", "asyncio.exceptions")
_METHODS: Final = {80: "prepare", 66: "execute", 69: "fetch", 81: "query", 68: "describe"}
_PARAMETERS: Final = {
    "server_version": "15.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "TimeZone": "UTC",
    "integer_datetimes": "on", "standard_conforming_strings": "on", "DateStyle": "ISO, MDY",
}  # fmt: skip


def play(player: PlayedCalls, module: ModuleType) -> None:
    """Instead of connecting."""
    connect = vars(module)["__connect_addr"]
    transports: dict[int, PlayedTransport] = {}
    protocols: Any = sys.modules["asyncpg.protocol.protocol"]
    signature = inspect.signature(connect)

    async def played(*arguments: Any, **options: Any) -> Any:
        given = signature.bind(*arguments, **options).arguments
        addr, loop, params = given["addr"], given["loop"], given["params"]
        if isinstance(addr, tuple):
            failure = player.connection_failure(addr[0], addr[1])
            if failure is not None:
                raise failure
        connected = loop.create_future()
        protocol = protocols.Protocol(addr, connected, params, given["record_class"], loop)
        transport = PlayedTransport(player, protocol, target_of(addr, params), loop)
        transports[transport.secret] = transport
        protocol.connection_made(transport)
        try:
            await connected
        except BaseException:
            transport.close()
            raise
        made = given["connection_class"](
            protocol, transport, loop, addr, given["config"], given["params_input"]
        )
        protocol.set_connection(made)
        return made

    async def cancel(*arguments: Any, **options: Any) -> None:
        secret = inspect.signature(cancelling).bind(*arguments, **options).arguments["backend_secret"]
        secret = int.from_bytes(secret, "big") if isinstance(secret, bytes) else secret
        if secret in transports:
            transports[secret].gives_up()

    cancelling = module._cancel
    player.undo.set(module, "_cancel", cancel)
    player.undo.set(module, "__connect_addr", played)


def _endings(value: dict[str, Any]) -> list[bytes]:
    """The messages that end a result, in their order."""
    found: dict[str, Any] = {
        "data": lambda _data: message(b"c"),
        "command": command_message,
        "suspended": lambda _so: message(b"s"),
        "empty": lambda _so: message(b"I"),
        "error": error_message,
        "tx": lambda tx: message(b"Z", tx.encode()),
    }
    return [made(value[name]) for name, made in found.items() if name in value]


class PlayedTransport(asyncio.Transport):
    """The server's end: it reads what a protocol writes, and has the answers recorded for it."""

    def __init__(self, player: PlayedCalls, protocol: Any, target: str, loop: Any) -> None:
        super().__init__()
        self._player = player
        self._protocol = protocol
        self._target = target
        self._loop = loop
        self._known = Portals()
        self._closing = False
        self._started = False
        self._tx = b"I"
        self._copying: list[dict[str, Any]] | None = None  # what comes once the data is all there
        self.secret = id(self) % 2**31
        """By which a request to give up is known to be for it."""

    # ------------------------------------------------------------ as a transport

    def write(self, data: Any) -> None:
        data = bytes(data)
        try:
            if not self._started:
                self._start()
            else:
                self._take(data)
        except Exception as error:  # what is not recorded: whoever waits for the answer gets it
            self._fail(error)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join([bytes(chunk) for chunk in list_of_data]))

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    # ------------------------------------------------------------ as a server

    def gives_up(self) -> None:
        """A query that is waited for is given up."""
        fields = {"S": "ERROR", "V": "ERROR", "C": "57014", "M": "canceling statement due to user request"}
        self._send([error_message(fields), message(b"Z", self._tx)], None)

    def _start(self) -> None:
        self._started = True
        found = connection(self._player, self._target)
        facts = {} if found is None else found.next()
        if "raises" in facts:
            self._loop.call_soon(self._protocol.connection_lost, exception(facts["raises"], _ERRORS))
            return
        if "error" in facts:
            self._send([error_message(facts["error"])], found)
            return
        parameters = {**_PARAMETERS, **(facts.get("parameters") or {})}
        parts = [message(b"R", b"\0\0\0\0")]
        parts += [message(b"S", f"{name}\0{value}\0".encode()) for name, value in parameters.items()]
        parts.append(
            message(b"K", int(facts.get("backend", 0)).to_bytes(4, "big") + self.secret.to_bytes(4, "big"))
        )
        self._send([*parts, message(b"Z", b"I")], found)

    def _send(self, parts: list[bytes], found: TypedAnswer | None) -> None:
        """After the time that it took; never, if it was given up."""
        if found is not None and found.given_up:
            return
        data = b"".join(parts)
        delay = 0.0 if found is None else self._player.took_s(found.recorded_call)
        if delay > 0:
            self._loop.call_later(delay, self._give, data)
        else:
            self._loop.call_soon(self._give, data)

    def _give(self, data: bytes) -> None:
        if not self._closing:
            self._protocol.data_received(data)

    def _fail(self, error: Exception) -> None:
        self._closing = True
        self._loop.call_soon(self._protocol.connection_lost, error)

    def _take(self, data: bytes) -> None:
        kind = data[0]
        if kind in b"dcf":
            self._take_copied(data)
        elif kind in _METHODS:
            self._ask(kind, data)
        elif kind == 83:  # Sync
            self._send([message(b"Z", self._tx)], None)
        elif kind == 88:  # Terminate
            self.close()
        elif kind == 67:  # Close
            self._send([message(b"3"), message(b"Z", self._tx)], None)

    def _ask(self, kind: int, data: bytes) -> None:
        statement, executes = self._statement_of(data)
        method = "execute" if kind == 80 and executes else _METHODS[kind]
        if method == "prepare" and not self._player.recorded_calls.has_statement(
            "prepare", self._target, statement.query
        ):
            self._describe_from(statement)
            return
        parameters = asked([data], self._known, statement)[0]
        found = taken(self._player, method, self._target, statement.query, parameters)
        values = []
        while found.more and not found.given_up:
            values.append(found.next())
            if "copy" in values[-1] and values[-1]["copy"][0] == "G":
                break
        if method in ("prepare", "describe") and "types" in (values[0] if values else {}):
            self._send(self._description(statement, values[0]), found)
            return
        self._answer(kind, data, values, found)

    def _statement_of(self, data: bytes) -> tuple[Statement, bool]:
        statement, executes = Statement(""), False
        for kind, payload in messages(data):
            if kind == b"P":
                statement = self._known.prepared(payload)
            elif kind == b"B":
                statement = self._known.bind(payload)[0]
            elif kind == b"E":
                executes = True
                name = payload.partition(b"\0")[0].decode()
                statement = self._known.portals.get(name, (statement, []))[0]
            elif kind == b"D" and payload[:1] == b"S":
                name = payload[1:].partition(b"\0")[0].decode()
                statement = self._known.statements.get(name, statement)
            elif kind == b"Q":
                statement = Statement(payload.partition(b"\0")[0].decode("utf-8", "replace"))
        return statement, executes

    def _describe_from(self, statement: Statement) -> None:
        """It was prepared in an earlier invocation: its executions have what describes it."""
        found = self._player.recorded_calls.first_values("execute", self._target, statement.query)
        if found is None:
            raise self._player.refuse(f"prepare {statement.query}")
        from relive_capture.record.recording.databases.queries import CODEC

        described: dict[str, Any] = {}
        for line in found.response_body.text.split("\n"):
            value: Any = CODEC.decode(line) if line else {}
            described = {**value, **described}
        self._send(self._description(statement, described), None)

    def _description(self, statement: Statement, value: dict[str, Any]) -> list[bytes]:
        types = value.get("types") or []
        head = len(types).to_bytes(2, "big") + b"".join(oid.to_bytes(4, "big") for oid in types)
        parts = [message(b"1"), message(b"t", head)]
        columns = value.get("columns")
        parts.append(columns_message(columns, plain=True) if columns else message(b"n"))
        statement.answered = parts[1:]
        return parts

    def _answer(self, kind: int, data: bytes, values: list[dict[str, Any]], found: TypedAnswer) -> None:
        parts = [message(b"1")] if kind == 80 else []
        binds = sum(sent == b"B" for sent, _ in messages(data))
        for value in values:
            if binds and "tx" not in value:
                parts.append(message(b"2"))
                binds -= 1
            parts += self._result(value, described=kind == 81)
        self._send(parts, found)
        if values and "copy" in values[-1] and values[-1]["copy"][0] == "G":
            self._copying = []
            while found.more:
                self._copying.append(found.next())

    def _result(self, value: dict[str, Any], *, described: bool) -> list[bytes]:
        parts = []
        columns = value.get("columns") or []
        if columns and described:
            parts.append(columns_message(columns))
        if "copy" in value:
            parts.append(message(value["copy"][0].encode(), value["copy"][1]))
        parts += [row_message(row, columns) for row in value.get("rows") or ()]
        for copied in value.get("data") or ():
            parts.append(message(b"d", copied.encode() if isinstance(copied, str) else copied))
        for name, setting in (value.get("session") or {}).items():
            parts.append(message(b"S", f"{name}\0{setting}\0".encode()))
        if "tx" in value:
            self._tx = value["tx"].encode()
        return parts + _endings(value)

    def _take_copied(self, data: bytes) -> None:
        if self._copying is None or not any(kind in (b"c", b"f") for kind, _ in messages(data)):
            return
        waiting, self._copying = self._copying, None
        parts = [part for value in waiting for part in self._result(value, described=False)]
        self._send(parts, None)
