"""What is kept of the calls of one invocation, in the order they began, within limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, Protocol

from relive_capture.record.recording.files import FileNotes
from relive_capture.record.recording.limits import RecordingLimits
from relive_capture.record.recording.object_ids import ObjectIds
from relive_capture.recording_format import Failure, RawCall

__all__ = ["INSIDE", "Call", "CallRecording", "CallRecordingHolder", "describe"]

_ARGUMENTS: Final = 4
_TEXT: Final = 500
_CONNECTIONS: Final = 50
_DEPTH: Final = 3
_BYTES: Final = (bytes, bytearray, memoryview)


INSIDE: Final[ContextVar[bool]] = ContextVar("relive_inside", default=False)
"""Whether what connects is a part of a call that is recorded as a whole."""


class Call:
    """One call while it runs. Methods never raise what the function would see; over the limits they only
    count."""

    __slots__ = (
        "_body_bytes",
        "again",
        "again_ns",
        "answered",
        "kept_calls",
        "later",
        "left",
        "raw",
        "request",
        "response",
    )

    def __init__(self, kept_calls: CallRecording, raw: RawCall, body_bytes: int) -> None:
        self.kept_calls = kept_calls
        self._body_bytes = body_bytes
        self.left = body_bytes  # of one direction; a request is done before its response begins
        self.raw = raw
        self.request: list[bytes] = []
        self.response: list[bytes] = []
        self.answered = False
        self.again = 0  # times that a connection failed in the same way afterwards
        self.again_ns = 0  # when it did for the last time
        self.later: list[Callable[[], None]] = []  # what tells the rest, if the invocation fails

    @property
    def live(self) -> bool:
        """Whether its invocation still runs: a response that outlives it is no longer kept."""
        return self.kept_calls.open

    def sent(self, data: Any) -> None:
        """Bytes of the request; what is no bytes-like object is noted as missing."""
        if type(data) is bytes or isinstance(data, _BYTES):
            size, kept_calls = len(data), self.kept_calls
            if (
                size <= self.left and size <= kept_calls.left_bytes
            ):  # not in a method of its own: this runs often
                self.left -= size
                kept_calls.left_bytes -= size
                self.request.append(bytes(data))
            else:
                self.raw.request_cut += self._keep_start(self.request, data)
        elif type(data) is str:
            self.sent(data.encode("utf-8", "surrogatepass"))
        else:
            self.raw.request_cut += 1

    def received(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes of the response, as the function gets them."""
        size, kept_calls = len(data), self.kept_calls
        if size <= self.left and size <= kept_calls.left_bytes:
            self.left -= size
            kept_calls.left_bytes -= size
            self.response.append(bytes(data))
        else:
            self.raw.response_cut += self._keep_start(self.response, data)

    def answer_begins(self) -> None:
        """The request is out: the response has a limit of its own."""
        self.answered = True
        self.left = self._body_bytes

    def asks(self, line: bytes) -> None:
        """What is asked with, of a call whose form is "values": a value as ValueCodec has it. All or none of
        it is kept."""
        self.raw.request_cut += self._keep_line(self.request, line)
        self.answer_begins()

    def answers(self, line: bytes) -> None:
        """Another value of its answer. After one that is over the limits no more are kept."""
        self.raw.response_cut += len(line) if self.raw.response_cut else self._keep_line(self.response, line)

    def _keep_line(self, lines: list[bytes], line: bytes) -> int:
        kept_calls, size = self.kept_calls, len(line) + 1
        if not kept_calls.open:
            return 0
        if size > kept_calls.left_bytes:
            kept_calls.make_room(min(self.left, size))
        if size > self.left or size > kept_calls.left_bytes:
            return size
        self.left -= size
        kept_calls.left_bytes -= size
        lines.append(line)
        return 0

    def failed(self, error: BaseException, where: str) -> None:
        """The call ended in `error`, which the function sees."""
        if self.raw.failure is None:
            self.raw.failure = describe(error, where)
        self.timed()

    def timed(self) -> None:
        """Its response begins now, or it fails: so long it has taken."""
        raw = self.raw
        if not raw.took_ns:
            raw.took_ns = max(time.time_ns() - raw.started_ns, 1)

    def _keep_start(self, chunks: list[bytes], data: Any) -> int:
        """Keep what the limits allow; how many bytes are left out. Nothing is, once the invocation has
        ended."""
        kept_calls = self.kept_calls
        if not kept_calls.open:
            return 0
        size = len(data)
        kept_calls.make_room(min(self.left, size))
        room = min(self.left, kept_calls.left_bytes, size)
        self.left -= room
        kept_calls.left_bytes -= room
        chunks.append(bytes(memoryview(data).cast("B")[:room]))
        return size - room


class CallRecording:
    """The calls of one invocation, or of the loading of a module."""

    __slots__ = (
        "calls", "connections", "files", "ids", "known", "left_bytes", "left_out", "limits",
        "on_socket", "open", "phase",
    )  # fmt: skip

    def __init__(self, limits: RecordingLimits, phase: str = "invoke") -> None:
        self.limits = limits
        self.phase = phase
        self.open = True
        self.calls: list[Call] = []
        self.left_bytes = limits.total_bytes
        self.left_out = 0
        self.connections: dict[str, None] = {}
        self.files: FileNotes | None = None  # until it looks at one
        self.known: dict[int, Any] = {}  # id of a client -> what its recorder notes of it
        self.ids: ObjectIds | None = None  # until one is made
        self.on_socket: dict[int, Call] = {}  # id of a socket -> the call that waits for its response there

    def call(self, form: str, library: str, origin: str = "", method: str = "", url: str = "") -> Call:
        """A new call. Over the limit it is counted and kept nowhere."""
        raw = RawCall(form, library, self.phase, time.time_ns(), origin, method, url)
        if len(self.calls) >= self.limits.calls:
            self.left_out += 1
            return Call(CallRecording(self.limits), raw, 0)
        call = Call(self, raw, self.limits.body_bytes)
        self.calls.append(call)
        return call

    def not_connected(self, library: str, place: str, error: BaseException, where: str) -> None:
        """A connection failed. The same failure of the same place is kept once: it fails as often as it is
        tried."""
        failure = describe(error, where)
        if self.calls:
            last = self.calls[-1]
            raw = last.raw
            if raw.form == "connect" and raw.origin == place and raw.failure == failure:
                last.again += 1
                last.again_ns = time.time_ns()
                return
        self.call("connect", library, origin=place).raw.failure = failure

    def connected(self, place: str) -> None:
        """A connection was opened, for whatever protocol."""
        if len(self.connections) < _CONNECTIONS:
            self.connections[place] = None

    def noted(self) -> FileNotes | None:
        """Where files are noted; None once the invocation has ended."""
        if self.files is None and self.open:
            self.files = FileNotes(self.limits)
        return self.files if self.open else None

    def make_room(self, size: int) -> None:
        """Have `left_bytes` allow for so much if that can be done. Here, it is all there from the start."""

    def close(self) -> None:
        """The invocation is over: what still comes is not kept."""
        self.open = False
        self.left_bytes = -1

    def recorded_calls(self) -> list[RawCall]:
        """All calls as they are told."""
        for call in self.calls:
            later, call.later = call.later, []
            for tell in later:
                try:
                    tell()
                except Exception:  # it can no longer be told
                    call.raw.response_cut += 1
            between = b"\n" if call.raw.form == "values" else b""
            call.raw.request = between.join(call.request)
            call.raw.response = between.join(call.response)
        return [call.raw for call in self.calls]


class CallRecordingHolder(Protocol):
    """Who knows where calls go now."""

    @property
    def kept_calls(self) -> CallRecording | None:
        """Nowhere while there is no invocation."""


def describe(error: BaseException, where: str, depth: int = 0) -> Failure:
    """Type and plain arguments of an exception. Its `__str__` is never called."""
    cls = type(error)
    found = Failure(f"{cls.__module__}.{cls.__qualname__}"[:_TEXT], [], where)
    for argument in error.args[:_ARGUMENTS] if type(error.args) is tuple else ():
        if type(argument) is str:
            found.arguments.append(argument[:_TEXT])
        elif type(argument) is int or argument is None:
            found.arguments.append(argument)
        elif issubclass(type(argument), BaseException) and depth < _DEPTH:
            found.inner = describe(argument, where, depth + 1)  # what a library wraps
    return found
