"""The logging module's records, each recorded once, whichever handlers the user's code sets up."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import CodeType
from typing import Any

from relive_base.attributes import Attributes

from relive_tracer.record.interruption import of_signal_handler
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.noticed import LOGGED, PRINTED, SIGNALLED, Noticed
from relive_tracer.record.output import Output
from relive_tracer.record.text import bounded, log_value

__all__ = ["EMIT_CODE", "LoggingSetup", "Places", "RecordHandler", "severity_of"]

_PLACES = 4_096
EMIT_CODE: CodeType = logging.StreamHandler.emit.__code__

_SEVERITIES = ((10, "TRACE"), (20, "DEBUG"), (30, "INFO"), (40, "WARN"), (50, "ERROR"))
_OWN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


_NAMES = {
    10: "DEBUG",
    20: "INFO",
    30: "WARN",
    40: "ERROR",
    50: "FATAL",
}  # the levels that nearly all records have


def severity_of(level: int) -> str:
    """OpenTelemetry's name for a level of the logging module."""
    name = _NAMES.get(level)
    if name is not None:
        return name
    for below, name in _SEVERITIES:
        if level < below:
            return name
    return "FATAL"


class Places:
    """Where log calls stand, as the platform names places: files relative to the function's own folder,
    functions by module and qualified name. Each place is looked up once."""

    def __init__(self, source: str, limits: TelemetryLimits) -> None:
        self._root = source.rstrip("/") + "/" if source else ""
        self._limits = limits
        self._known: dict[tuple[str, int, str | None], tuple[str, str]] = {}

    def of(self, record: logging.LogRecord) -> tuple[str, str]:
        """File and function."""
        key = (record.pathname, record.lineno, record.funcName)
        found = self._known.get(key)
        if found is None:
            file = record.pathname
            if self._root and file.startswith(self._root):
                file = file[len(self._root) :]
            found = (
                bounded(file, self._limits.value_chars),
                bounded(_qualified(record), self._limits.name_chars),
            )
            if len(self._known) >= _PLACES:
                self._known.clear()
            self._known[key] = found
        return found


def _qualified(record: logging.LogRecord) -> str:
    """The function that logs, by the frame that still runs it; its bare name if there is none."""
    frame = sys._getframe(1)
    function = record.funcName or ""
    while frame is not None:
        code = frame.f_code
        if code.co_name == function and code.co_filename == record.pathname:
            module = frame.f_globals.get("__name__")
            return f"{module}.{code.co_qualname}" if type(module) is str else code.co_qualname
        frame = frame.f_back  # type: ignore[assignment]
    return function


class RecordHandler(logging.Handler):
    """Stands first on the root logger and records every record that reaches it.

    A StreamHandler on our stdout or stderr hands over its record as well (`from_stream`): a record that both
    see is recorded once, and one that only a StreamHandler sees keeps its level and its exception.
    """

    def __init__(
        self, output: Output, limits: TelemetryLimits, places: Places, noticed: Noticed | None = None
    ) -> None:
        super().__init__(logging.NOTSET)
        self._output = output
        self._places = places
        self._noticed = noticed or Noticed()
        self._limits = limits
        self._seen = threading.local()
        self._traceback = logging.Formatter()

    def handle(self, record: logging.LogRecord) -> bool:
        """Record without the handler's lock: the output has its own."""
        try:
            if self.filters and not self.filter(record):
                return False
            key = (id(record), record.created)
            if getattr(self._seen, "key", None) != key:
                self._seen.key = key
                self._record(record, None)
        except Exception as error:  # a record that cannot be recorded must never fail the code that logs
            if of_signal_handler(error):
                raise
            self._output.lines("logging", "ERROR", ["a log record could not be recorded"])
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """What `handle` does; for code that calls `emit` itself."""
        self.handle(record)

    def from_stream(self, record: Any, text: str) -> bool:
        """Whether `record`, which a StreamHandler formatted as `text`, is recorded with this call."""
        if not isinstance(record, logging.LogRecord):
            return False
        key = (id(record), record.created)
        if getattr(self._seen, "key", None) != key:
            self._seen.key = key
            self._record(record, text.rstrip("\n"))
        return True

    def _record(self, record: logging.LogRecord, text: str | None) -> None:
        self._notice(record)
        attributes = self._attributes(record)
        if text is None:
            text = self._body(record, attributes)
        self._output.record(
            int(record.created * 1e9),
            severity_of(record.levelno),
            bounded(text, self._limits.line_chars),
            attributes,
        )

    def _notice(self, record: logging.LogRecord) -> None:
        info = record.exc_info
        is_error = record.levelno >= logging.ERROR
        if type(info) is tuple and isinstance(info[1], BaseException):
            self._noticed.note(info[1], SIGNALLED if is_error else LOGGED)
        elif is_error:
            self._noticed.note(sys.exc_info()[1], PRINTED)

    def _body(self, record: logging.LogRecord, attributes: Attributes) -> str:
        try:
            return self.format(record) if self.formatter is not None else record.getMessage()
        except Exception as error:
            if of_signal_handler(error):
                raise
            # The user's own arguments do not fit or fail to print; the unformatted text is what there is.
            attributes["log.format_error"] = type(error).__name__
            return record.msg if isinstance(record.msg, str) else f"<{type(record.msg).__name__}>"

    def _attributes(self, record: logging.LogRecord) -> Attributes:
        limits = self._limits
        file, function = self._places.of(record)
        attributes: Attributes = {
            "logger.name": bounded(record.name, limits.name_chars),
            "code.file.path": file,
            "code.line.number": record.lineno if type(record.lineno) is int else 0,
            "code.function.name": function,
        }
        if record.threadName and record.threadName != "MainThread":
            attributes["thread.name"] = bounded(record.threadName, limits.name_chars)
        extra = record.__dict__
        if len(extra) > len(_OWN) - 3:
            for name, value in extra.items():
                if name not in _OWN and len(attributes) < limits.log_attributes:
                    kept = log_value(value, limits.value_chars)
                    if kept is not None:
                        attributes[bounded(name, limits.name_chars)] = kept
        if record.exc_info:
            self._exception(record, attributes)
        return attributes

    def _exception(self, record: logging.LogRecord, attributes: Attributes) -> None:
        info = record.exc_info
        if info is None or info[0] is None:
            return
        kind = info[0]
        module = kind.__module__
        attributes["exception.type"] = (
            kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
        )
        try:
            attributes["exception.message"] = bounded(str(info[1]), self._limits.value_chars)
            text = record.exc_text or self._traceback.formatException(info)
            if len(text) > self._limits.stacktrace_chars:
                text = "…" + text[1 - self._limits.stacktrace_chars :]  # the end names the error
            attributes["exception.stacktrace"] = bounded(text, self._limits.stacktrace_chars)
        except Exception as error:  # its __str__ fails, which is the user's own doing
            attributes.setdefault("exception.message", f"<__str__ raised {type(error).__name__}>")


class LoggingSetup:
    """Puts the handler first on the root logger and keeps `logging.basicConfig` working.

    `basicConfig` does nothing if the root logger has a handler, so the usual first line of a function
    would have no effect: it runs here as if ours were not there.
    """

    def __init__(self, handler: RecordHandler) -> None:
        self._handler = handler
        self._basic_config: Callable[..., None] = logging.basicConfig

    def install(self) -> None:
        """Set the root level to INFO, unless something has set it already, and add the handler."""
        root = logging.getLogger()
        if root.level in (logging.NOTSET, logging.WARNING):
            root.setLevel(logging.INFO)
        self.ensure()

        def basicConfig(**options: Any) -> None:
            root.removeHandler(self._handler)
            try:
                self._basic_config(**options)
            finally:
                self.ensure()

        basicConfig.__doc__ = self._basic_config.__doc__
        logging.basicConfig = basicConfig

    def ensure(self) -> None:
        """Put the handler back where `dictConfig` or the user's code took it off."""
        handlers = logging.root.handlers
        if not handlers or handlers[0] is not self._handler:
            if self._handler in handlers:
                handlers.remove(self._handler)
            handlers.insert(0, self._handler)

    def uninstall(self) -> None:
        """Undo `install`, for tests."""
        logging.basicConfig = self._basic_config
        logging.getLogger().removeHandler(self._handler)
