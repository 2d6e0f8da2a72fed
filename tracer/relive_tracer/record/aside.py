"""Spans that a framework makes of each request by itself. They say what Relive records anyway, and cost
several times what a request costs: they are not made, and what the function's own code puts on them is put on
the invoke span.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import opentelemetry.trace as trace_api
from opentelemetry.trace import Span, SpanContext, Tracer

__all__ = ["FRAMEWORKS", "AsideTracer"]

FRAMEWORKS: Final = frozenset(("fastapi",))
"""Instrumentation scopes, which are the names of their packages."""


class _AsideSpan(Span):
    """Stands for a span of the framework; deaf to the framework itself."""

    __slots__ = ("_package", "_span")

    def __init__(self, span: Span, package: str) -> None:
        self._span = span
        self._package = package

    def _heard(self) -> bool:
        caller = sys._getframe(2).f_globals.get("__name__")
        return not (isinstance(caller, str) and caller.partition(".")[0] == self._package)

    def get_span_context(self) -> SpanContext:
        """Of the invoke span: what the code makes below it has that as its parent."""
        return self._span.get_span_context()

    def is_recording(self) -> bool:
        """For the function's own code."""
        return self._heard() and self._span.is_recording()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """As in the API."""
        if self._heard():
            self._span.set_attributes(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        """As in the API."""
        if self._heard():
            self._span.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """As in the API."""
        if self._heard():
            self._span.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """As in the API."""
        if self._heard():
            self._span.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """As in the API."""
        if self._heard():
            self._span.update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        """As in the API."""
        if self._heard():
            self._span.set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """As in the API."""
        if self._heard():
            self._span.record_exception(exception, attributes, timestamp, escaped)

    def end(self, end_time: int | None = None) -> None:
        """The platform ends the invoke span."""


class AsideTracer(Tracer):
    """What a framework gets in place of a tracer."""

    def __init__(self, package: str, invoke_span: Callable[[], Span | None]) -> None:
        self._package = package
        self._invoke_span = invoke_span

    def start_span(self, name: str, *_arguments: Any, **_options: Any) -> Span:
        """The invoke span, in a guise."""
        found = self._invoke_span()
        return trace_api.INVALID_SPAN if found is None else _AsideSpan(found, self._package)

    @contextmanager
    def start_as_current_span(self, name: str, *_arguments: Any, **_options: Any) -> Iterator[Span]:  # type: ignore[override]
        """The same, as the current span."""
        yield trace_api.get_current_span()
