"""The tape of one invocation: its calls, in the order they began, within limits."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from relive_capture.cassette_format import Failure, RawExchange

__all__ = ["INSIDE", "Call", "Tape", "TapeLimits", "describe"]

_ARGUMENTS: Final = 4
_TEXT: Final = 500
_CONNECTIONS: Final = 50
_DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class TapeLimits:
    """What one invocation may leave on its tape."""

    calls: int = 200
    body_bytes: int = 262_144  # of one request or response, with its head
    total_bytes: int = 2_097_152


INSIDE: Final[ContextVar[bool]] = ContextVar("relive_inside", default=False)
"""Whether what connects is a part of a call that is recorded as a whole."""


class Call:
    """One call while it runs. Methods never raise what the function would see; over the limits they only
    count."""

    __slots__ = ("_left", "_tape", "answered", "raw", "request", "response")

    def __init__(self, tape: Tape, raw: RawExchange, left: int) -> None:
        self._tape = tape
        self._left = left  # of one direction; a request is done before its response begins
        self.raw = raw
        self.request: list[bytes] = []
        self.response: list[bytes] = []
        self.answered = False

    @property
    def live(self) -> bool:
        """Whether its invocation still runs: a response that outlives it is no longer kept."""
        return self._tape.open

    def sent(self, data: Any) -> None:
        """Bytes of the request; what is no bytes-like object is noted as missing."""
        if isinstance(data, bytes | bytearray | memoryview):
            self.raw.request_cut += self._keep(self.request, data)
        elif type(data) is str:
            self.raw.request_cut += self._keep(self.request, data.encode("utf-8", "surrogatepass"))
        else:
            self.raw.request_cut += 1

    def received(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes of the response, as the function gets them."""
        self.raw.response_cut += self._keep(self.response, data)

    def answer_begins(self) -> None:
        """The request is out: the response has a limit of its own."""
        self.answered = True
        self._left = self._tape.limits.body_bytes

    def failed(self, error: BaseException, where: str) -> None:
        """The call ended in `error`, which the function sees."""
        if self.raw.failure is None:
            self.raw.failure = describe(error, where)

    def _keep(self, chunks: list[bytes], data: bytes | bytearray | memoryview) -> int:
        """Keep what the limits allow; how many bytes are left out."""
        tape = self._tape
        if not tape.open:
            return 0
        size = len(data)
        room = min(self._left, tape.left_bytes)
        if size > room:
            data = memoryview(data)[:room]
        if room and size:
            chunks.append(bytes(data))
            self._left -= len(data)
            tape.left_bytes -= len(data)
        return max(size - room, 0)


class Tape:
    """The calls of one invocation, or of the loading of a module."""

    __slots__ = ("calls", "connections", "left_bytes", "left_out", "limits", "open", "phase")

    def __init__(self, limits: TapeLimits, phase: str = "invoke") -> None:
        self.limits = limits
        self.phase = phase
        self.open = True
        self.calls: list[Call] = []
        self.left_bytes = limits.total_bytes
        self.left_out = 0
        self.connections: dict[str, None] = {}

    def call(self, form: str, library: str, *, origin: str = "", method: str = "", url: str = "") -> Call:
        """A new call. Over the limit it is counted and kept nowhere."""
        raw = RawExchange(form, library, self.phase, time.time_ns(), origin, method, url)
        if len(self.calls) >= self.limits.calls:
            self.left_out += 1
            return Call(Tape(self.limits), raw, 0)
        call = Call(self, raw, self.limits.body_bytes)
        self.calls.append(call)
        return call

    def not_connected(self, library: str, place: str, error: Exception, where: str) -> None:
        """A connection failed. The same failure of the same place is kept once: it fails as often as it is
        tried."""
        failure = describe(error, where)
        if self.calls:
            last = self.calls[-1].raw
            if last.form == "connect" and last.origin == place and last.failure == failure:
                return
        self.call("connect", library, origin=place).raw.failure = failure

    def connected(self, place: str) -> None:
        """A connection was opened, for whatever protocol."""
        if len(self.connections) < _CONNECTIONS:
            self.connections[place] = None

    def exchanges(self) -> list[RawExchange]:
        """All calls as they are told."""
        for call in self.calls:
            call.raw.request = b"".join(call.request)
            call.raw.response = b"".join(call.response)
        return [call.raw for call in self.calls]


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
