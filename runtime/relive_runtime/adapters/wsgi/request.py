"""One request of a WSGI application, from its call to the end of its answer."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from relive_base.wire.messages import BodyTaken, StreamHead

from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.event.payload import trace_headers
from relive_runtime.adapters.results import BadResult, check_head
from relive_runtime.adapters.service.request import request_of
from relive_runtime.adapters.wsgi.body import BodyReader
from relive_runtime.adapters.wsgi.environ import wsgi_environ
from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.beside.desk import Desk

__all__ = ["WsgiRequest"]

WINDOW_BYTES: Final = 262_144
"""So much is on its way to the client at most; then the application waits for it."""
_WHOLE_BYTES: Final = 262_144
_OK: Final = 200
_INTERNAL_ERROR: Final = 500
_TYPE: Final = "content-type"
_BODILESS: Final = (204, 304)


class Taken(Protocol):
    """Waits until the client has taken a part. Whether it has, and has not gone."""

    def __call__(self, attempt: BesideAttempt, data: bytes, /) -> bool: ...


class WsgiRequest:
    """Runs in a thread of its own, but for `feed` and `leave`."""

    def __init__(self, attempt: BesideAttempt, desk: Desk, taken: Taken) -> None:
        self.attempt = attempt
        self._desk = desk
        self._taken = taken
        self._request = request = request_of(attempt.invoke)
        self._body = BodyReader(request.body, self._read) if attempt.invoke.more else None
        self._bodiless = request.method == "HEAD"
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._type = ""
        self._length = -1
        self._sent = 0
        self._in_flight = 0
        self._begun = False  # the head has left

    def feed(self, data: bytes, more: bool) -> None:
        """The body goes on."""
        self._desk.body_came(self.attempt)
        if self._body is not None:
            self._body.feed(data, more)

    def leave(self) -> None:
        """The client has gone."""
        self.attempt.gone = True
        if self._body is not None:
            self._body.leave()

    def _read(self, count: int) -> None:
        self._desk.send(BodyTaken(invocation_id=self.attempt.invocation_id, size=count))

    def run(self, application: Callable[..., Iterable[bytes]]) -> None:
        """The request, to its end. Raises nothing of the application's."""
        attempt, desk = self.attempt, self._desk
        relive_invocation = attempt.invocation_id  # for who reads the frames of this process from outside
        answer: Answer | None = None
        try:
            body = io.BufferedReader(self._body) if self._body is not None else None
            environ = wsgi_environ(self._request, trace_headers(attempt.invoke), body)
            parts = application(environ, self._start)
            try:
                answer = self._give(parts)
            finally:
                close = getattr(parts, "close", None)
                if close is not None:
                    close()
        except BaseException as error:
            if desk.forked.here:
                desk.forked.leave(error)
            desk.failed(attempt, error, answer)
        else:
            if desk.forked.here:
                desk.forked.leave()
            desk.returned(attempt, answer)
        del relive_invocation

    # ------------------------------------------------------------ the answer

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        error = exc_info[1] if exc_info is not None else None
        if exc_info is not None:
            try:
                if self._begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status:
            raise AssertionError("start_response was called twice, and not for an exception")
        kept: list[tuple[str, str]] = []
        self._type, self._length = "", -1
        for name, value in headers:
            lower = name.lower()
            if lower == "content-type" and not self._type:
                self._type = value
            elif lower == "content-length":
                self._length = int(value) if value.isdecimal() else -1
            else:
                kept.append((lower, value))
        number = int(status.split(" ", 1)[0])
        check_head(number, kept)
        if self._type:
            check_head(_OK, ((_TYPE, self._type),))
        if number >= _INTERNAL_ERROR:
            self._desk.gives_up(self.attempt, sys.exc_info()[1] if error is None else error)
        error = None  # it knows this frame
        self._headers = kept
        self._status = number
        self._bodiless = self._request.method == "HEAD" or self._status in _BODILESS
        return self._write

    def _write(self, data: bytes) -> None:
        """What `start_response` gives: what is written has to leave at once."""
        self._part(bytes(data))

    def _give(self, parts: Iterable[bytes]) -> Answer | None:
        """The answer if it is one piece; else None, and it has been sent."""
        held = b""
        whole = isinstance(parts, list | tuple)  # all of it is there already
        for part in filter(None, parts):
            data = self._checked(part)
            if self.attempt.answered:
                return None  # it was stopped meanwhile
            if self._begun or not (whole or 0 <= self._length <= _WHOLE_BYTES):
                self._part(data)
            else:  # one piece: it is known how long it is
                held += data
                if len(held) > _WHOLE_BYTES and not whole:
                    self._part(held)
                    held = b""
            if self.attempt.gone:
                break
        if not self._status:
            raise _not_started()
        if not self._begun:
            return self._whole(held)
        if 0 <= self._length != self._sent and not self._bodiless and not self.attempt.gone:
            raise self._other_length()
        return Answer(b"", self._status, self._type)

    def _checked(self, part: object) -> bytes:
        if not self._status:
            raise _not_started()
        if not isinstance(part, bytes | bytearray | memoryview):
            raise BadResult(f"the application gave a {type(part).__name__}", hint="WSGI wants bytes")
        return bytes(part)

    def _whole(self, body: bytes) -> Answer:
        if len(body) > _WHOLE_BYTES or (self._bodiless and self._length >= 0):
            if self._length < 0 and not self._bodiless:
                self._length = len(body)
            self._part(body)
            return Answer(b"", self._status, self._type)
        if 0 <= self._length != len(body) and not self._bodiless:
            self._sent = len(body)
            raise self._other_length()
        return Answer(b"" if self._bodiless else body, self._status, self._type, self._headers)

    def _part(self, data: bytes) -> None:
        attempt, desk = self.attempt, self._desk
        if attempt.answered:
            return
        if not self._begun:
            self._begun = True
            head = StreamHead(
                http_status=self._status,
                content_type=self._type,
                headers=self._headers,
                length=self._length,
            )
            desk.begin_stream(attempt, head)
        if not data or attempt.gone or self._bodiless:
            return
        self._sent += len(data)
        if 0 <= self._length < self._sent:
            raise self._other_length()
        limit = desk.spec.stream_limit_bytes
        if self._sent > limit:
            raise BadResult(
                f"the streamed answer is over the limit of {limit:,} bytes",
                hint="send less, or raise RELIVE_STREAM_LIMIT_BYTES",
            )
        self._in_flight += len(data)
        if self._in_flight < WINDOW_BYTES:
            desk.part(attempt, data)
            return
        deadline_ns, attempt.deadline_ns = attempt.deadline_ns, 0  # the client's time
        self._in_flight = 0
        if not self._taken(attempt, data):
            attempt.gone = True
        if not attempt.answered:
            attempt.deadline_ns = deadline_ns
            desk.extend(attempt)

    def _other_length(self) -> BadResult:
        return BadResult(
            f"the answer has {self._sent:,} bytes, and its content-length says {self._length:,}",
            hint="leave content-length out",
        )


def _not_started() -> BadResult:
    return BadResult(
        "the application gave an answer without calling start_response",
        hint='is it a WSGI application? interface = "asgi" says it is not',
    )
