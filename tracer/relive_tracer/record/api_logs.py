"""OpenTelemetry's Logs API in a worker: what is emitted becomes log lines as those of the logging module."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Final, cast

import opentelemetry._logs as logs_api
from opentelemetry._logs import Logger, LoggerProvider
from relive_base.attributes import Attributes
from relive_base.frame_locals import locals_of

from relive_tracer.record.convert import span_attributes
from relive_tracer.record.interruption import of_signal_handler
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.output import Output
from relive_tracer.record.text import attribute_text, bounded

__all__ = ["ApiLogs"]

_internal = cast(Any, logs_api)._internal
_SEVERITIES: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_INFO: Final = 9
_LARGEST: Final = 24
_FRAMES: Final = 4


class ApiLogs(LoggerProvider):
    """The global provider, in such a way that the user's code can still set its own."""

    def __init__(
        self, output: Output, limits: TelemetryLimits, handle: Callable[[logging.LogRecord], object]
    ) -> None:
        """`handle`: records a record of the logging module, once."""
        self._output = output
        self._limits = limits
        self._handle = handle

    def install(self) -> None:
        """Proxies that were handed out before look here, too."""
        _internal._LOGGER_PROVIDER = self

    def get_logger(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> Logger:
        """As in the API."""
        emitter = _Emitter(name, version, schema_url, attributes)
        return emitter.to(self._output, self._limits, self._handle)

    def uninstall(self) -> None:
        """Undo `install`, for tests."""
        if _internal._LOGGER_PROVIDER is self:
            _internal._LOGGER_PROVIDER = None


class _Emitter(Logger):
    """Of one scope."""

    def to(
        self, output: Output, limits: TelemetryLimits, handle: Callable[[logging.LogRecord], object]
    ) -> Logger:
        """Where it goes."""
        self._output = output
        self._limits = limits
        self._handle = handle
        name = self._name
        self._scope = bounded(name, limits.name_chars) if isinstance(name, str) else ""
        return self

    def emit(self, record: Any = None, **fields: Any) -> None:
        """As in the API: a record, or what one is made of."""
        try:
            behind = _record_behind()
            if behind is None:
                self._emit(fields if record is None else _Fields(record))
            else:
                self._handle(behind)
        except Exception as error:  # what cannot be recorded must never fail the code that logs
            if of_signal_handler(error):
                raise

    def enabled(self, **_fields: Any) -> bool:
        """As in the API: all is recorded."""
        return True

    def _emit(self, fields: Any) -> None:
        given, limits = fields.get, self._limits
        attributes: Attributes = {"logger.name": self._scope} if self._scope else {}
        attributes.update(span_attributes(given("attributes"), limits))
        text = given("severity_text")
        number = _severity(given("severity_number"))
        severity = _SEVERITIES[(number - 1) // 4]
        if isinstance(text, str) and text and text.upper() != severity:
            attributes.setdefault("log.severity_text", bounded(text, limits.name_chars))
        exception = given("exception")
        if isinstance(exception, BaseException):
            attributes.update(_exception(exception, limits))
        body = given("body")
        at_ns = given("timestamp") or given("observed_timestamp")
        event = given("event_name")
        self._output.record(
            at_ns if isinstance(at_ns, int) and at_ns > 0 else time.time_ns(),
            severity,
            attribute_text("" if body is None else body, limits.line_chars),
            attributes,
            bounded(event, limits.name_chars) if isinstance(event, str) else "",
            source="otel",
            number=number,
        )


class _Fields:
    """A record's attributes, as a dict's values."""

    def __init__(self, record: Any) -> None:
        self._record = record

    def get(self, name: str) -> Any:
        return getattr(self._record, name, None)


def _severity(number: Any) -> int:
    value = getattr(number, "value", number)
    return value if type(value) is int and 1 <= value <= _LARGEST else _INFO


def _exception(error: BaseException, limits: TelemetryLimits) -> Attributes:
    import traceback

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    found: Attributes = {"exception.type": bounded(name, limits.name_chars)}
    try:
        text = "".join(traceback.format_exception(error))
        found["exception.message"] = bounded(str(error), limits.value_chars)
        found["exception.stacktrace"] = bounded(text[-limits.stacktrace_chars :], limits.stacktrace_chars)
    except Exception as problem:  # its __str__ fails, which is the user's own doing
        if of_signal_handler(problem):
            raise
    return found


def _record_behind() -> logging.LogRecord | None:
    """The record of the logging module that one of its handlers hands on just now. Whoever has it first
    records it: the platform's own handler comes before or after this one."""
    frame = sys._getframe(2)
    for _ in range(_FRAMES):
        if frame is None:
            return None
        record = locals_of(frame).get("record") if frame.f_code.co_name == "emit" else None
        if isinstance(record, logging.LogRecord):
            return record
        frame = frame.f_back  # type: ignore[assignment]
    return None
