"""psycopg 3, sync and async: what is sent by libpq and the results that come back, below cursors.

The results are libpq's own, which nobody changes: they are kept as they are and told if the invocation fails.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator
from functools import wraps
from types import ModuleType
from typing import Any, Final
from weakref import ref

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.databases.pg_results import (
    connection_facts,
    parameters_of,
    result_bytes,
    result_values,
    session_parameters,
    target_of,
)
from relive_capture.record.recording.databases.queries import CODEC, answer, begin, exception_parts, fails
from relive_capture.record.recording.recorded import Call, CallRecording, CallRecordingHolder
from relive_capture.recording_format import Failure

__all__ = ["instead", "record"]

LIBRARY: Final = "psycopg"
_FATAL: Final = 7
_COPYING: Final = (3, 4)  # COPY_OUT, COPY_IN
_QUEUE: Final = 10_000


def record(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """Copy what cursors and connections send, and the results."""
    own = _Recorder(recorder)
    base = sys.modules["psycopg._connection_base"]
    cursors = sys.modules["psycopg._cursor_base"].BaseCursor
    own.patch_sends(cursors, base.BaseConnection, sys.modules["psycopg._server_cursor_base"])
    generators = sys.modules["psycopg.generators"]
    put: Callable[[Any, str, object], None] = setattr
    for name, made in own.receivers(generators).items():
        instead(getattr(generators, name), made, put)


def instead(before: object, after: object, put: Callable[[Any, str, object], None]) -> None:
    """`after` wherever a module of psycopg has `before` under a name of its own."""
    for name, module in list(sys.modules.items()):
        if type(module) is ModuleType and (name == "psycopg" or name.startswith("psycopg.")):
            for attribute, value in list(vars(module).items()):
                if value is before:
                    put(module, attribute, after)


def _opened_before(pgconn: Any, state: _State, kept_calls: CallRecording) -> None:
    """A connection of an earlier invocation is used: what a replay must know to have one like it."""
    state.seen = kept_calls
    facts = state.facts = state.facts or connection_facts(pgconn)
    answer(begin(kept_calls, LIBRARY, state.target, "open"), lambda: facts)


class _Sent:
    """One thing that was sent, whose results are yet to come. `call` None: nobody records it."""

    __slots__ = ("call", "statement")

    def __init__(self, call: Call | None, statement: bytes = b"") -> None:
        self.call = call
        self.statement = statement


class _State:
    """What is known of one connection: what waits for its results, and by which invocation it was seen."""

    __slots__ = ("facts", "gone", "queue", "seen", "target")

    def __init__(self, target: str, gone: object) -> None:
        self.target = target
        self.gone = gone  # a weak reference to it
        self.facts: dict[str, object] = {}
        self.queue: deque[_Sent] = deque(maxlen=_QUEUE)
        self.seen: CallRecording | None = None


class _Recorder:
    def __init__(self, recorder: CallRecordingHolder) -> None:
        self._recorder = recorder
        self._states: dict[int, _State] = {}

    def _state_of(self, pgconn: Any, conninfo: str = "") -> _State:
        key = id(pgconn)
        state = self._states.get(key)
        if state is None:
            states = self._states
            target = target_of(None, conninfo) if conninfo else target_of(pgconn)
            state = states[key] = _State(target, ref(pgconn, lambda _gone: states.pop(key, None)))
        return state

    # ------------------------------------------------------------ sent

    def patch_sends(self, cursors: Any, connections: Any, server: Any) -> None:
        """Stand before what sends."""
        execute_send, send_prepared, send_prepare = (
            cursors._execute_send,
            cursors._send_query_prepared,
            cursors._send_prepare,
        )
        command = connections._exec_command
        describe = server.ServerCursorMixin._describe_gen
        sending = self._sending

        @wraps(execute_send)
        def recorded_send(own: Any, query: Any, **options: Any) -> None:
            sending(own._conn, "execute", query.query, query)
            with UNSEEN:
                execute_send(own, query, **options)

        @wraps(send_prepared)
        def recorded_prepared(own: Any, name: Any, pgq: Any, **options: Any) -> None:
            sending(own._conn, "execute", pgq.query, pgq)
            with UNSEEN:
                send_prepared(own, name, pgq, **options)

        @wraps(send_prepare)
        def recorded_prepare(own: Any, name: Any, query: Any) -> None:
            sending(own._conn, "prepare", query.query, None)
            with UNSEEN:
                send_prepare(own, name, query)

        @wraps(command)
        def recorded_command(own: Any, text: Any, *arguments: Any, **options: Any) -> Any:
            if own.pgconn.status == 0:
                sending(own, "execute", _text_of(text, own), None)
            with UNSEEN:
                return (yield from command(own, text, *arguments, **options))

        @wraps(describe)
        def recorded_describe(own: Any) -> Any:
            sending(own._conn, "describe", own._name.encode("utf-8", "replace"), None)
            with UNSEEN:
                return (yield from describe(own))

        cursors._execute_send = recorded_send
        self._patch_client_cursors()
        cursors._send_query_prepared = recorded_prepared
        cursors._send_prepare = recorded_prepare
        connections._exec_command = recorded_command
        server.ServerCursorMixin._describe_gen = recorded_describe
        self._patch_pipelines()

    def _patch_client_cursors(self) -> None:
        """Cursors that put parameters into the statement themselves, as Django's do."""
        cls = sys.modules["psycopg.client_cursor"].ClientCursorMixin
        execute_send = cls._execute_send

        @wraps(execute_send)
        def recorded_send(own: Any, query: Any, **options: Any) -> None:
            self._sending(own._conn, "execute", query.query, None)
            with UNSEEN:
                execute_send(own, query, **options)

        cls._execute_send = recorded_send

    def _patch_pipelines(self) -> None:
        """Ends of pipelines, and statements that are closed there, have results of their own."""
        pipelines = sys.modules["psycopg._pipeline_base"].BasePipeline
        connections = sys.modules["psycopg._connection_base"].BaseConnection
        sync, deallocate = pipelines._enqueue_sync, connections._deallocate
        state_of = self._state_of

        @wraps(sync)
        def noted_sync(own: Any) -> None:
            state_of(own.pgconn).queue.append(_Sent(None))
            with UNSEEN:
                sync(own)

        @wraps(deallocate)
        def noted_deallocate(own: Any, name: Any) -> Any:
            if own._pipeline and name is not None:
                state_of(own.pgconn).queue.append(_Sent(None))
            with UNSEEN:
                return (yield from deallocate(own, name))

        for name in ("psycopg.connection", "psycopg.connection_async"):
            self._patch_cancelling(sys.modules[name])
        pipelines._enqueue_sync = noted_sync
        connections._deallocate = noted_deallocate

    def _patch_cancelling(self, module: Any) -> None:
        """Who is interrupted while it waits has the server give up, and does not want to know its answer."""
        cls = getattr(module, "AsyncConnection", None) or module.Connection
        try_cancel = cls._try_cancel

        @wraps(try_cancel)
        def noted(own: Any, *arguments: Any, **options: Any) -> Any:
            queue = self._state_of(own.pgconn).queue
            if queue and queue[0].call is not None:
                call, queue[0].call = queue[0].call, None
                call.raw.failure = Failure("asyncio.exceptions.CancelledError")
            with UNSEEN:
                return try_cancel(own, *arguments, **options)

        cls._try_cancel = noted

    def _sending(self, connection: Any, method: str, statement: bytes, pgq: Any) -> None:
        pgconn = connection.pgconn
        state = self._states.get(id(pgconn)) or self._state_of(pgconn)
        queue = state.queue
        if not connection._pipeline:
            queue.clear()
        kept_calls = self._recorder.kept_calls
        if kept_calls is None:
            queue.append(_Sent(None))
            return
        try:
            if state.seen is not kept_calls:
                _opened_before(pgconn, state, kept_calls)
            call = begin(kept_calls, LIBRARY, state.target, method, statement)
            if pgq is not None and pgq.params:
                _asks(call, pgq)
        except Exception:  # what is sent is the function's
            call = None
        queue.append(_Sent(call, statement))

    # ------------------------------------------------------------ received

    def receivers(self, generators: Any) -> dict[str, Any]:
        """Generators that wait for what comes, by the name of those that they stand for."""
        fetch_many, communicate = generators.fetch_many, generators.pipeline_communicate

        def recorded_many(pgconn: Any) -> Generator[Any, Any, Any]:
            try:
                results = yield from fetch_many(pgconn)
            except BaseException as error:
                without_this_frame(error)
                raise
            if results:
                self._received(pgconn, results)
            return results

        def recorded_communicate(pgconn: Any, commands: Any) -> Generator[Any, Any, Any]:
            try:
                found = yield from communicate(pgconn, commands)
            except BaseException as error:
                without_this_frame(error)
                raise
            for results in found:
                self._received(pgconn, results)
            return found

        def received_one(pgconn: Any, result: Any) -> None:
            self._received(pgconn, [] if result is None else [result], last=result is None)

        def received_end(pgconn: Any, result: Any) -> None:
            self._received(pgconn, [result])

        return {
            "execute": self._receives(generators.execute, self._received),
            "fetch_many": recorded_many,
            "fetch": self._receives(generators.fetch, received_one),
            "pipeline_communicate": recorded_communicate,
            "copy_from": self._receives(generators.copy_from, self._copied),
            "copy_end": self._receives(generators.copy_end, received_end),
            "connect": self._connects(generators.connect),
            "notifies": self._notifies(generators.notifies),
        }

    def _receives(self, original: Any, received: Callable[[Any, Any], None]) -> Any:
        def recorded(pgconn: Any, *arguments: Any) -> Generator[Any, Any, Any]:
            try:
                found = yield from original(pgconn, *arguments)
            except BaseException as error:
                without_this_frame(error)
                self._failed(pgconn, error)
                raise
            received(pgconn, found)
            return found

        return recorded

    def _connects(self, original: Any) -> Any:
        def recorded(conninfo: str) -> Generator[Any, Any, Any]:
            kept_calls = self._recorder.kept_calls
            call = None
            if kept_calls is not None:
                call = begin(kept_calls, LIBRARY, target_of(None, conninfo), "connect")
            try:
                pgconn = yield from original(conninfo)
            except BaseException as error:
                without_this_frame(error)
                if call is not None and not issubclass(type(error), GeneratorExit):
                    fails(call, error)
                raise
            state = self._state_of(pgconn, conninfo)
            facts = state.facts = connection_facts(pgconn)
            if call is not None:
                state.seen = kept_calls
                answer(call, lambda: facts)
            return pgconn

        return recorded

    def _notifies(self, original: Any) -> Any:
        def recorded(pgconn: Any) -> Generator[Any, Any, Any]:
            try:
                found = yield from original(pgconn)
            except BaseException as error:
                without_this_frame(error)
                raise
            kept_calls = self._recorder.kept_calls
            if kept_calls is not None:
                call = begin(kept_calls, LIBRARY, self._state_of(pgconn).target, "notifies")
                answer(call, [[item.relname, item.be_pid, item.extra] for item in found])
            return found

        return recorded

    def _received(self, pgconn: Any, results: list[Any], *, last: bool = True) -> None:
        state = self._states.get(id(pgconn))
        if state is None or not state.queue:
            return
        queue = state.queue
        sent = queue[0]
        if last and not (results and results[-1].status in _COPYING):
            queue.popleft()
        call = sent.call
        if call is None or not call.kept_calls.open:
            return
        try:
            call.timed()
            after = pgconn.transaction_status
            changed = session_parameters(pgconn, sent.statement)
            if changed:
                state.facts = {**state.facts, "parameters": changed}
            _keep(call, results, after, changed)
        except Exception:  # the results are the function's
            call.raw.response_cut += 1

    def _copied(self, pgconn: Any, data: Any) -> None:
        queue = self._state_of(pgconn).queue
        if not queue or queue[0].call is None:
            return
        if isinstance(data, memoryview | bytes):
            answer(queue[0].call, {"data": _text_or_bytes(bytes(data))})
        else:
            self._received(pgconn, [data])

    def _failed(self, pgconn: Any, error: BaseException) -> None:
        queue = self._state_of(pgconn).queue
        sent = queue.popleft() if queue else None
        if isinstance(error, GeneratorExit):
            return  # it was given up: it stays without an answer
        if sent is None or sent.call is None or not sent.call.kept_calls.open:
            return
        call = sent.call
        call.failed(error, "")
        result = getattr(error, "pgresult", None)
        if not isinstance(error, Exception):
            return
        if result is not None:
            _keep(call, [result], pgconn.transaction_status, {})
            return
        more = {"broken": pgconn.status != 0, "tx": pgconn.transaction_status}
        answer(call, {"raises": {**exception_parts(error), **more}})


def _text_or_bytes(data: bytes) -> object:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _text_of(text: Any, connection: Any) -> bytes:
    if type(text) is bytes:
        return text
    if isinstance(text, str):
        return text.encode("utf-8", "replace")
    try:
        return bytes(text.as_bytes(connection))
    except Exception:
        return b"<composed>"


def _asks(call: Call, pgq: Any) -> None:
    params, types, formats = list(pgq.params), tuple(pgq.types), tuple(pgq.formats or ())
    size = 50 * len(params)
    for data in params:
        if data is not None:
            size += len(data)
    _later(call, size, lambda: call.asks(CODEC.encode(parameters_of(params, types, formats))))


def _keep(call: Call, results: list[Any], after: int, changed: dict[str, str]) -> None:
    """Results as they are, until they are told."""
    size = 0
    for result in results:
        if result.status == _FATAL and call.raw.failure is None:
            call.raw.failure = Failure("psycopg.Error", [result.get_error_message()[:500]], "")
        size += result_bytes(result)

    def tell() -> None:
        for value in result_values(results, after, changed):
            call.answers(CODEC.encode(value))

    _later(call, size, tell)


def _later(call: Call, size: int, tell: Callable[[], None]) -> None:
    """So much is taken of the limits until it is told."""
    kept_calls = call.kept_calls
    if size > kept_calls.left_bytes:
        kept_calls.make_room(size)
    if size > kept_calls.left_bytes or size > call.left:
        call.raw.response_cut += size
        return
    kept_calls.left_bytes -= size

    def told() -> None:
        kept_calls.left_bytes += size
        tell()

    call.later.append(told)
