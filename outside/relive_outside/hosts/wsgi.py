"""Records the requests of a WSGI application, each until the end of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from typing import Any, Final

from relive_base.unseen import UNSEEN, without_this_frame

from relive_outside.hosts.requests import request_of_environ
from relive_outside.hosts.standing import StandsFor
from relive_outside.record.attempts import Attempt
from relive_outside.record.recipes import Recipe
from relive_outside.record.recorder import Recorder

__all__ = ["RecordedWsgi"]

_MARK: Final = "relive.recorded"


class RecordedWsgi(StandsFor):
    """The application."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        application, recipe, recorder = self.__dict__["_relive"]
        attempt, context = None, copy_context()
        try:
            if named or len(given) != 2 or type(given[0]) is not dict or _MARK in given[0]:
                return application(*given, **named)
            environ: dict[str, Any]
            environ, start_response = given
            attempt = context.run(_begun, environ, recipe, recorder)
            if attempt is None:
                return application(environ, start_response)
            environ[_MARK] = True
            environ["wsgi.input"] = _Body(environ.get("wsgi.input"), attempt, recorder.settings.body_bytes)
            parts: Iterable[bytes] = context.run(application, environ, _starting(attempt, start_response))
        except BaseException as error:
            without_this_frame(error)
            context.run(recorder.failed, attempt, error)
            raise
        if _is_file(parts, environ):
            context.run(recorder.ended, attempt)
            return parts
        return _Answer(parts, attempt, recorder, context)


def _is_file(parts: Any, environ: dict[str, Any]) -> bool:
    """Whether the server sends it by itself, as it knows it: wrapped it would be read here."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(parts, wrapper)


def _begun(environ: dict[str, Any], recipe: Recipe, recorder: Recorder) -> Attempt | None:
    try:
        request = request_of_environ(environ)
    except Exception as error:  # a server that gives another environ
        recorder.say(f"a request is not recorded: {type(error).__name__}: {error}")
        return None
    return recorder.begin(recipe, http=request, traceparent=str(environ.get("HTTP_TRACEPARENT", "")))


def _starting(attempt: Attempt, start_response: Callable[..., Any]) -> Callable[..., Any]:
    def started(status: str, headers: Any, *exc_info: Any) -> Any:
        number = status[:3] if type(status) is str else ""
        attempt.status = int(number) if number.isdecimal() else 0
        with UNSEEN:
            return start_response(status, headers, *exc_info)

    return started


class _Answer:
    """The parts of an answer: the invocation ends when the server closes it."""

    def __init__(self, parts: Any, attempt: Attempt, recorder: Recorder, context: Context) -> None:
        self._parts = parts
        self._attempt = attempt
        self._recorder = recorder
        self._context = context
        self._over = False

    def __iter__(self) -> Iterator[bytes]:
        context = self._context
        try:
            iterator = context.run(iter, self._parts)
            while True:
                try:
                    part: bytes = context.run(next, iterator)
                except StopIteration:
                    return
                self._attempt.answers(part)
                yield part
        except GeneratorExit:
            raise
        except BaseException as error:
            without_this_frame(error)
            self._end(error)
            raise

    def __len__(self) -> int:
        return len(self._parts)

    def close(self) -> None:
        """The server calls it in any case."""
        try:
            close = getattr(self._parts, "close", None)
            if close is not None:
                self._context.run(close)
        except BaseException as error:
            without_this_frame(error)
            self._end(error)
            raise
        self._end(None)

    def _end(self, error: BaseException | None) -> None:
        if self._over:
            return
        self._over = True
        if error is not None:
            self._context.run(self._recorder.failed, self._attempt, error)
        else:
            self._context.run(self._recorder.ended, self._attempt)


class _Body:
    """The request's body; what is read of it is kept, within a limit."""

    def __init__(self, body: Any, attempt: Attempt, most: int) -> None:
        self._body = body
        self._attempt = attempt
        self._left = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def read(self, *size: Any) -> bytes:
        """As its own."""
        with UNSEEN:
            return self._kept(self._body.read(*size))

    def readline(self, *size: Any) -> bytes:
        """As its own."""
        with UNSEEN:
            return self._kept(self._body.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        """As its own."""
        with UNSEEN:
            lines: list[bytes] = self._body.readlines(*hint)
        for line in lines:
            self._kept(line)
        return lines

    def readinto(self, buffer: Any) -> int:
        """As its own, if that has one."""
        with UNSEEN:
            count: int = self._body.readinto(buffer)
        self._kept(bytes(memoryview(buffer)[:count]))
        return count

    def __iter__(self) -> Iterator[bytes]:
        with UNSEEN:
            for line in self._body:
                yield self._kept(line)

    def _kept(self, data: bytes) -> bytes:
        if type(data) is bytes:
            kept = data[: self._left]
            self._left -= len(kept)
            self._attempt.event_cut += len(data) - len(kept)
            self._attempt.body += kept
        return data
