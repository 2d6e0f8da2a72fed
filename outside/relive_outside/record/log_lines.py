"""What the application logs, for the scene of the invocation that does. Its handlers, levels and output stay
as they are: records are seen on their way to its own handlers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, Final

from relive_base.attributes import Attributes
from relive_base.unseen import without_this_frame
from relive_base.wire.messages import LogLine

__all__ = ["Lines", "LogWatch"]

_LINES: Final = 200
_CHARS: Final = 65_536


class Lines:
    """Of one invocation: the newest 200, of at most 64 KiB together."""

    __slots__ = ("_chars", "kept", "left_out")

    def __init__(self) -> None:
        self.kept: list[LogLine] = []
        self.left_out = 0
        self._chars = 0

    def add(self, line: LogLine) -> None:
        """One more."""
        self.kept.append(line)
        self._chars += len(line.body)
        while len(self.kept) > _LINES or (self._chars > _CHARS and len(self.kept) > 1):
            self._chars -= len(self.kept.pop(0).body)
            self.left_out += 1


class LogWatch:
    """Takes the place of a handler's output. `current` gives the lines of the calling code's invocation;
    `notice` is told of exceptions that are logged."""

    def __init__(self, current: Callable[[], Lines | None], noticed: Any) -> None:
        self._current = current
        self._noticed = noticed

    def patch(self, module: ModuleType) -> None:
        """Watch `logging`, once it is imported."""
        from relive_tracer.record.limits import TelemetryLimits
        from relive_tracer.record.logs import Places, RecordHandler

        limits = TelemetryLimits()
        output: Any = self
        handler = RecordHandler(output, limits, Places("", limits), self._noticed)
        logger: Any = module.Logger
        call_handlers, current = logger.callHandlers, self._current

        @wraps(call_handlers)
        def callHandlers(self: Any, record: Any) -> None:
            if current() is not None:
                handler.handle(record)
            try:
                call_handlers(self, record)
            except BaseException as error:
                without_this_frame(error)
                raise

        logger.callHandlers = callHandlers

    def record(self, time_ns: int, severity: str, text: str, attributes: Attributes) -> None:
        """A record of the logging module."""
        lines = self._current()
        if lines is not None:
            lines.add(
                LogLine(
                    timestamp_ns=time_ns,
                    severity=severity,
                    body=text,
                    source="logging",
                    attributes=attributes,
                )
            )

    def lines(self, _source: str, _severity: str, _lines: Any) -> None:
        """What could not be recorded: there is nobody to tell."""
