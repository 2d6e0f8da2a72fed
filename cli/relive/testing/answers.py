"""An HTTP answer with a 5xx status, in a test: a failure there as on the platform."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from relive_base.errors import ReliveError
from relive_runtime.adapters.http.framework_errors import FrameworkErrors
from relive_tracer.record.noticed import LOGGED, SIGNALLED, Noticed

__all__ = ["AnswerWatch", "ServerError", "watched_answers"]

_SERVER_ERROR = 500


class ServerError(ReliveError):
    """The function answered with a 5xx status, and no exception of it is known."""


class AnswerWatch(logging.Handler):
    """Notices what the function's framework logs or signals."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self._noticed = Noticed()
        self._noticed.begin(True)
        self._frameworks = FrameworkErrors(self._noticed.note)

    def signalled(self, error: BaseException) -> None:
        """The framework says that it will answer with this."""
        self._noticed.note(error, SIGNALLED)

    def emit(self, record: logging.LogRecord) -> None:
        if type(record.exc_info) is tuple:
            self._noticed.note(record.exc_info[1], SIGNALLED if record.levelno >= logging.ERROR else LOGGED)

    def loaded(self) -> None:
        """The function's module, and with it the framework, is there."""
        self._frameworks.watch()

    def close(self) -> None:
        """Listen no more."""
        self._frameworks.close()
        self._noticed.begin(False)

    def check(self, status: int, body: bytes) -> None:
        """Raise what is behind an answer with a 5xx status."""
        if status < _SERVER_ERROR:
            return
        error = self._noticed.take()
        if error is not None:
            raise error
        raise ServerError(f"the function answered with {status}: {body[:500].decode('utf-8', 'replace')}")


@contextmanager
def watched_answers() -> Iterator[AnswerWatch]:
    """For the time of one invocation."""
    watch = AnswerWatch()
    root = logging.getLogger()
    root.addHandler(watch)
    try:
        yield watch
    finally:
        root.removeHandler(watch)
        watch.close()
