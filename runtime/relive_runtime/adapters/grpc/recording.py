"""What is told of a call: its beginning, its end, once each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final

from relive_base.wire.messages import FunctionSpec

from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.grpc.calls import (
    NO_METHOD,
    OK,
    SERVER_ERRORS,
    UNIMPLEMENTED,
    UNKNOWN,
    RpcFailed,
    begun,
    code_of,
)
from relive_runtime.worker.limits.deadline import HandlerTimeout

if TYPE_CHECKING:
    from relive_runtime.worker.beside.desk import Desk

__all__ = ["Call", "CallRecorder", "current_call", "recorder", "watched", "watched_request"]

_CANCELLED: Final = 1
_DEADLINE_EXCEEDED: Final = 4
_STATUS: Final = "grpc-status"
_LATE_S: Final = 0.1
"""A client that gives up at its deadline may be so much before it, by this machine's clock."""
_PEER: Final = "ipv4:127.0.0.1:"
_WORD_S: Final = 0.5  # for the server's word about a connection that is here before it
_current: ContextVar[Call] = ContextVar("relive_call")
current_call: Final = _current.get
"""The call in whose task this is."""


def watched(serialize: Callable[[Any], bytes] | None, *, parts: bool) -> Callable[[Any], Any]:
    """The serializer of answers; what it raises is the end of the call, and so is an answer that is not one
    of several `parts`. Without one, grpc takes what the handler gives."""

    def watched(message: Any) -> Any:
        call = _current.get()
        try:
            data = serialize(message) if serialize is not None else message
        except BaseException as error:
            call.fail(error, None)
            raise
        if call.attempt is not None and isinstance(data, bytes | bytearray | str):
            call.attempt.streamed_bytes += len(data)
        if not parts:
            call.end(OK)
        return data

    return watched


def watched_request(read: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """The deserializer of a call's one request: where it raises, no handler ever begins."""
    if read is None:
        return None

    def watched(data: bytes) -> Any:
        try:
            return read(data)
        except BaseException as error:
            _current.get().fail(error, None)
            raise

    return watched


def recorder(spec: FunctionSpec) -> CallRecorder:
    """With the statuses of the function's own grpc."""
    import grpc

    by_number = {status.value[0]: status for status in grpc.StatusCode}
    return CallRecorder(spec, by_number.__getitem__)


class CallRecorder:
    """One per worker; on its event loop, but for handlers that run in threads."""

    def __init__(self, spec: FunctionSpec, codes: Callable[[int], Any]) -> None:
        """`codes` gives grpc's own status of a number."""
        self.spec = spec
        self.codes = codes
        self.desk: Desk | None = None  # until the worker serves, nothing is recorded
        self.look: Callable[[], object] = bool
        """Reads what the server has said, on the event loop."""
        self._peers: set[str] = set()  # the connections that the server has made

    def wired(self, port: int, *, made: bool) -> None:
        """The server has made a connection, from this port of its own, or has closed it."""
        peer = f"{_PEER}{port}"
        if made:
            self._peers.add(peer)
        else:
            self._peers.discard(peer)

    def knows(self, peer: str) -> bool:
        """Whether the server has made this connection: the port is open to everybody on this machine."""
        return peer in self._peers

    def begin(self, method: str, metadata: Iterable[Any]) -> Call:
        """A call begins, in the task that serves it."""
        call = Call(self)
        desk, task = self.desk, asyncio.current_task()
        if desk is not None and task is not None:
            invoke, told = begun(self.spec, method, metadata)
            desk.send(told)
            call.attempt = desk.begin_here(invoke, task)
            task.add_done_callback(call.task_done)
        _current.set(call)
        return call


class Call:
    """One call. It ends once, however often it is told."""

    def __init__(self, recorder: CallRecorder) -> None:
        self._recorder = recorder
        self._over = False
        self.attempt: Any = None  # a BesideAttempt
        self._variables: Context | None = None  # of the attempt, for threads
        self.context: Any = None  # grpc's, once its handler runs
        self.verdict: tuple[Any, str] | None = None
        """What the client is to be told, if the call was ended from here."""

    def admits(self, context: Any) -> bool:
        """Whether it has come from the server. On the event loop."""
        recorder, peer = self._recorder, context.peer()
        if recorder.knows(peer):
            return True
        recorder.look()  # it is told before there is a connection
        return recorder.knows(peer)

    def admits_later(self, context: Any) -> bool:
        """The same, in a thread."""
        recorder, peer = self._recorder, context.peer()
        until = time.monotonic() + _WORD_S
        while not recorder.knows(peer):
            if time.monotonic() > until:
                return False
            time.sleep(_WORD_S / 50)
        return True

    def in_thread(self) -> Call:
        """Its code will run in a thread, which has no context of its own."""
        self._variables = copy_context()
        return self

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """In a thread: as part of the attempt."""
        if self._variables is None:
            return function(*arguments)
        return self._variables.run(function, *arguments)

    def runs(self, code: Any) -> Any:
        """Its code, a coroutine or an asynchronous generator: where it waits is seen there."""
        if self.attempt is not None:
            self.attempt.code = code
        return code

    def moves(self) -> None:
        """A part of the answer is there: the time limit was that of the first one."""
        attempt = self.attempt
        if attempt is not None and not attempt.streaming:
            attempt.streaming = True
            attempt.deadline_ns = 0

    # ------------------------------------------------------------ ends

    def returned(self, context: Any, *, parts: bool) -> None:
        """Its handler has returned; the status may be one that it has set. A good answer that is not in
        `parts` has yet to become bytes: its serializer ends the call."""
        code = code_of(context.code())
        if parts or code != OK:
            self._ended_with(code, context)

    def unknown_method(self) -> None:
        """Nobody serves its method."""
        self._failed(RpcFailed(f"{SERVER_ERRORS[UNIMPLEMENTED]}: {NO_METHOD}"), UNIMPLEMENTED)

    def _ended_with(self, code: int, context: Any) -> None:
        if code in SERVER_ERRORS:
            self._failed(RpcFailed(f"{SERVER_ERRORS[code]}: {_text(context)}"), code)
        else:
            self.end(code)

    def end(self, code: int) -> None:
        """It is over."""
        if self._closed():
            return
        desk, attempt = self._recorder.desk, self.attempt
        assert desk is not None
        attempt.headers = [(_STATUS, str(code))]
        desk.returned(attempt, Answer(b"", 200, "", [(_STATUS, str(code))]))

    def fail(self, error: BaseException, context: Any) -> None:
        """Its handler has raised."""
        if self._over or self.attempt is None:
            return
        context = context if context is not None else self.context
        if isinstance(error, asyncio.CancelledError):
            self._cancelled(error, context)
            return
        code = code_of(context.code()) if context is not None else OK
        if not _is_abort(error):
            self._failed(error, code if code != OK else UNKNOWN)  # as grpc tells the client
        elif code in SERVER_ERRORS:
            failed = RpcFailed(f"{SERVER_ERRORS[code]}: {_text(context)}")
            failed.__cause__ = error.__cause__ or error.__context__
            self._failed(failed.with_traceback(error.__traceback__), code)
        else:
            self.end(code)

    def _cancelled(self, error: BaseException, context: Any) -> None:
        attempt = self.attempt
        if attempt.answered:  # its time limit, or somebody, has ended it from here
            timeout = attempt.raised is not None
            code = _DEADLINE_EXCEEDED if timeout else _CANCELLED
            text = "the function's time limit is over" if timeout else "the invocation was cancelled"
            self.verdict = self._recorder.codes(code), text
            self._failed(error, code)
            return
        left = context.time_remaining() if context is not None else None
        if left is not None and left <= _LATE_S:
            late = HandlerTimeout("the deadline that the client has set is over")
            self._failed(late.with_traceback(error.__traceback__), _DEADLINE_EXCEEDED)
        else:
            attempt.gone = True
            self.end(_CANCELLED)

    def _failed(self, error: BaseException, code: int) -> None:
        if self._closed():
            return
        desk, attempt = self._recorder.desk, self.attempt
        assert desk is not None
        attempt.headers = [(_STATUS, str(code))]
        desk.failed(attempt, error, None)

    def _closed(self) -> bool:
        """Whether it is over already, or nothing is recorded; after this it is over."""
        over, self._over = self._over, True
        return over or self.attempt is None

    def task_done(self, task: asyncio.Task[Any]) -> None:
        """The end of all: what has not been told by now never was in a handler's hands."""
        attempt = self.attempt
        if attempt is None:
            return
        if not self._over:
            self._never_ended(task)
        # The task's context has this call, which has the task: they would wait for the garbage collector.
        attempt.task = attempt.code = None
        self._variables = self.context = None

    def _never_ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.fail(asyncio.CancelledError(), None)
        elif error is not None:
            self.fail(error, None)
        elif self.context is not None:
            self._ended_with(code_of(self.context.code()), self.context)
        else:
            self.end(_CANCELLED)


def _is_abort(error: BaseException) -> bool:
    """Whether a handler has ended its call by `context.abort`. In a thread that is a plain Exception."""
    return type(error).__name__ == "AbortError" or (type(error) is Exception and not error.args)


def _text(context: Any) -> str:
    details = context.details()
    if isinstance(details, bytes):
        details = details.decode("utf-8", "replace")
    return str(details or "")
