"""asyncpg: what its protocol writes and is given, message by message, below its statements and codecs.

Chunks are kept as they come, and taken apart if the invocation fails.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from relive_base.unseen import UNSEEN

from relive_capture.record.recording.databases.pg_messages import (
    Column,
    bound,
    bound_parameters,
    fields_of,
    messages,
    parameter_types,
    read_columns,
    read_exchange,
)
from relive_capture.record.recording.databases.queries import CODEC, answer, begin, fails
from relive_capture.record.recording.recorded import Call, CallRecording, CallRecordingHolder
from relive_capture.recording_format import Failure

__all__ = ["Portals", "Statement", "asked", "facts_of", "record", "target_of"]

LIBRARY: Final = "asyncpg"
_TAP: Final = "_relive_tap"
_READY: Final = b"Z\x00\x00\x00\x05"
_STATEMENTS: Final = 500
_STARTUP_BYTES: Final = 65_536
_METHODS: Final = {80: "prepare", 66: "execute", 69: "fetch", 81: "query", 68: "describe"}  # P B E Q D


def target_of(address: Any, parameters: Any) -> str:
    """Host, port and database."""
    place = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
    return f"postgresql://{place}/{parameters.database or parameters.user or ''}"


class Statement:
    """One that was prepared: its text, and how the server describes it."""

    __slots__ = ("answered", "query")

    def __init__(self, query: str) -> None:
        self.query = query
        self.answered: list[bytes] = []

    def described(self) -> tuple[list[int], bytes]:
        """(types of its parameters, its RowDescription's payload or nothing)."""
        types: list[int] = []
        columns = b""
        for kind, payload in messages(b"".join(self.answered)):
            if kind == b"t":
                types = parameter_types(payload)
            elif kind == b"T":
                columns = payload
        return types, columns


class Portals:
    """Statements and portals of one connection, by name."""

    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}
        self.portals: dict[str, tuple[Statement, list[int]]] = {}

    def prepared(self, payload: bytes) -> Statement:
        """After a Parse."""
        name, query, _ = payload.split(b"\0", 2)
        if len(self.statements) >= _STATEMENTS:
            self.statements.clear()
        made = self.statements[name.decode()] = Statement(query.decode("utf-8", "replace"))
        return made

    def bind(self, payload: bytes) -> tuple[Statement, list[int], list[bytes | None], list[int]]:
        """After a Bind: the statement, formats and values of parameters, formats of results."""
        portal, name, formats, values, results = bound(payload)
        statement = self.statements.get(name) or Statement("")
        if len(self.portals) >= _STATEMENTS:
            self.portals.clear()
        self.portals[portal] = (statement, results)
        return statement, formats, values, results


class _Exchange:
    """What was written at one time, and what came for it."""

    __slots__ = ("call", "formats", "got", "left_out", "parameters", "sent", "statement")

    def __init__(self, call: Call | None) -> None:
        self.call = call
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.left_out = False
        self.statement: Statement | None = None


class _Tap:
    """Between one protocol and its transport."""

    def __init__(self, recorder: CallRecordingHolder, target: str) -> None:
        self._recorder = recorder
        self.target = target
        self.known = Portals()
        self.startup: list[bytes] = []
        self.started = False
        self.seen: CallRecording | None = None
        self.connecting: Call | None = None
        self._exchange: _Exchange | None = None

    # ------------------------------------------------------------ opening

    def opens(self) -> None:
        """It is connected; what comes until it is ready belongs to the opening."""
        kept_calls = self._recorder.kept_calls
        if kept_calls is not None:
            self.seen = kept_calls
            self.connecting = begin(kept_calls, LIBRARY, self.target, "connect")

    def _starts(self, data: bytes) -> None:
        if sum(map(len, self.startup)) < _STARTUP_BYTES:
            self.startup.append(bytes(data))
        if data[-6:-1] == _READY:
            self._connected()

    def _connected(self) -> None:
        self.started = True
        call, self.connecting = self.connecting, None
        if call is not None:
            call.timed()
            facts = facts_of(b"".join(self.startup))
            if "error" in facts:
                call.raw.failure = Failure("asyncpg.PostgresError", [facts["error"].get("M", "")[:500]])
            call.answers(CODEC.encode(facts))

    # ------------------------------------------------------------ both ways

    def writes(self, data: Any) -> None:
        """Before it goes out. Never raises."""
        if not self.started:
            return
        try:
            self._write(bytes(data))
        except Exception:
            self._exchange = None

    def _write(self, data: bytes) -> None:
        now = self._exchange
        kind = data[0]
        if now is not None and (not now.got or kind in b"dcf"):
            if kind not in b"dcf":
                now.sent.append(data)
            return
        self._exchange = None
        method = _METHODS.get(kind)
        if method is None:
            return
        statement = self._statement_of(data)
        kept_calls = self._recorder.kept_calls
        call = None
        if kept_calls is not None:
            if self.seen is not kept_calls:
                self.seen = kept_calls
                opened = begin(kept_calls, LIBRARY, self.target, "open")
                answer(opened, lambda: facts_of(b"".join(self.startup)))
            if kind == 80 and b"E\x00\x00\x00" in data[-64:]:
                method = "execute"
            call = begin(kept_calls, LIBRARY, self.target, method, statement.query)
        self._exchange = now = _Exchange(call)
        now.sent.append(data)
        now.statement = statement
        if call is not None:
            self._tell_later(call, now)

    def _statement_of(self, data: bytes) -> Statement:
        """Which statement is written of."""
        found = Statement("")
        for kind, payload in messages(data[:100_000]):
            if kind == b"P":
                found = self.known.prepared(payload)
            elif kind == b"B":
                found = self.known.bind(payload)[0]
                break
            elif kind == b"E":
                name = payload.partition(b"\0")[0].decode()
                found = self.known.portals.get(name, (found, []))[0]
            elif kind == b"D" and payload[:1] == b"S":
                found = self.known.statements.get(payload[1:].partition(b"\0")[0].decode(), found)
            elif kind == b"Q":
                found = Statement(payload.partition(b"\0")[0].decode("utf-8", "replace"))
            if kind in b"DEQ":
                break
        return found

    def given(self, data: bytes) -> None:
        """Before the protocol gets it. Never raises."""
        try:
            if not self.started:
                self._starts(data)
                return
            now = self._exchange
            if now is None:
                return
            if not now.got and now.call is not None:
                now.call.timed()
            statement = now.statement
            if statement is not None and now.sent[0][:1] == b"P" and len(statement.answered) < 8:
                statement.answered.append(bytes(data))
            self._keep(now, data)
        except Exception:
            self._exchange = None

    def _keep(self, now: _Exchange, data: bytes) -> None:
        call = now.call
        if call is None or not call.kept_calls.open:
            now.got = [b""]
            return
        size, kept_calls = len(data), call.kept_calls
        if size > kept_calls.left_bytes:
            kept_calls.make_room(size)
        if size > kept_calls.left_bytes or size > call.left * 2:
            now.left_out = True
            call.raw.response_cut += size
        else:
            kept_calls.left_bytes -= size
            now.got.append(bytes(data))

    def lost(self, error: BaseException | None) -> None:
        """The connection is gone."""
        if self.connecting is not None and self.startup:
            self._connected()
        now, self._exchange = self._exchange, None
        call = self.connecting or (None if now is None else now.call)
        if call is not None and (now is None or not now.got) and error is not None:
            fails(call, error)

    def gives_up(self) -> None:
        """Nobody waits for the answer any more."""
        now = self._exchange
        if now is not None and now.call is not None:
            now.call.raw.failure = Failure("asyncio.exceptions.CancelledError")
            now.call = None

    def _tell_later(self, call: Call, now: _Exchange) -> None:
        known = self.known

        def tell() -> None:
            kept = sum(map(len, now.got))
            call.kept_calls.left_bytes += kept
            asked_for, columns, formats = asked(now.sent, known, now.statement)
            if asked_for is not None:
                call.asks(CODEC.encode({"parameters": asked_for}))
            found = read_exchange(b"".join(now.got), columns, formats)
            if found and call.raw.method == "execute" and now.statement is not None:
                # of use if it was prepared in an earlier invocation: a replay has to describe it
                described = {"types": now.statement.described()[0], "columns": columns}
                found[0] = {**{name: value for name, value in described.items() if value}, **found[0]}
            for value in found:
                if "error" in value and call.raw.failure is None:
                    call.raw.failure = Failure("asyncpg.PostgresError", [value["error"].get("M", "")[:500]])
                call.answers(CODEC.encode(value))

        call.later.append(tell)


def asked(
    sent: list[bytes], known: Portals, statement: Statement | None
) -> tuple[list[Any] | None, list[Column], list[int]]:
    """Of what was written: (parameters, or a list of them for each execution; columns of rows; formats)"""
    binds = []
    formats: list[int] = []
    for kind, payload in messages(b"".join(sent)):
        if kind == b"B":
            _, _, own, values, formats = bound(payload)
            binds.append((own, values))
        elif kind == b"E" and not binds:
            formats = known.portals.get(payload.partition(b"\0")[0].decode(), (None, []))[1]
    types, head = statement.described() if statement is not None else ([], b"")
    columns = read_columns(head, formats) if head else []
    found = [bound_parameters(own, values, types) for own, values in binds]
    if not found:
        return None, columns, formats
    return (found if len(found) > 1 else found[0]), columns, formats


def facts_of(startup: bytes) -> dict[str, Any]:
    """What a server says of itself and of the session; not the key of the session."""
    found: dict[str, Any] = {"parameters": {}}
    for kind, payload in messages(startup):
        if kind == b"S":
            name, value, _ = payload.split(b"\0", 2)
            if name != b"session_authorization":
                found["parameters"][name.decode()] = value.decode("utf-8", "replace")
        elif kind == b"K":
            found["backend"] = int.from_bytes(payload[:4], "big")
        elif kind == b"E":
            found["error"] = fields_of(payload)
    return found


class _Tapped:
    """A transport whose writes are seen."""

    __slots__ = ("_own", "_tap")

    def __init__(self, own: Any, tap: _Tap) -> None:
        self._own = own
        self._tap = tap

    def write(self, data: Any) -> None:
        """On."""
        self._tap.writes(data)
        with UNSEEN:
            self._own.write(data)

    def writelines(self, chunks: Any) -> None:
        """On, in one."""
        chunks = list(chunks)
        self._tap.writes(b"".join([bytes(chunk) for chunk in chunks]))
        with UNSEEN:
            self._own.writelines(chunks)

    def __getattr__(self, name: str) -> Any:
        with UNSEEN:
            return getattr(self._own, name)

    def __repr__(self) -> str:
        return repr(self._own)


def _record_cancelling(cls: Any) -> None:
    cancel = cls._cancel_current_command

    def noted(self: Any, *arguments: Any, **options: Any) -> Any:
        tap = getattr(self._protocol, "__dict__", {}).get(_TAP)
        if tap is not None:
            tap.gives_up()
        with UNSEEN:
            return cancel(self, *arguments, **options)

    cls._cancel_current_command = noted


def record(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """See what protocols of asyncpg write and are given, and when connections have the server give up."""
    if module.__name__ == "asyncpg.connection":
        _record_cancelling(module.Connection)
        return
    cls: Any = module.Protocol
    init: Callable[..., None] = cls.__init__
    connection_made, data_received, connection_lost = (
        cls.connection_made,
        cls.data_received,
        cls.connection_lost,
    )

    def recorded_init(self: Any, addr: Any, connected_fut: Any, con_params: Any, *arguments: Any) -> None:
        with UNSEEN:
            init(self, addr, connected_fut, con_params, *arguments)
        self.__dict__[_TAP] = _Tap(recorder, target_of(addr, con_params))

    def recorded_made(self: Any, transport: Any) -> None:
        tap: _Tap | None = self.__dict__.get(_TAP)
        if tap is not None:
            tap.opens()
            transport = _Tapped(transport, tap)
        with UNSEEN:
            connection_made(self, transport)

    def recorded_data(self: Any, data: bytes) -> None:
        tap: _Tap | None = self.__dict__.get(_TAP)
        if tap is not None:
            tap.given(data)
        with UNSEEN:
            data_received(self, data)

    def recorded_lost(self: Any, error: BaseException | None) -> None:
        tap: _Tap | None = self.__dict__.get(_TAP)
        if tap is not None:
            tap.lost(error)
        with UNSEEN:
            connection_lost(self, error)

    cls.__init__ = recorded_init
    cls.connection_made = recorded_made
    cls.data_received = recorded_data
    cls.connection_lost = recorded_lost
