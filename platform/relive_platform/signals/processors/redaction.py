"""Secrets leave what was recorded before any of it is written, exported or shown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Final

from relive_base.attributes import Attribute, attribute_texts
from relive_base.records import InvocationRecord
from relive_base.redaction.paths import hide_path
from relive_base.redaction.redactor import KeyBlocks, Redactor
from relive_base.wire.messages import LogLine, MetricData, OpenSpan, SpanData

__all__ = [
    "Redactors",
    "redact_line",
    "redact_metric",
    "redact_open_span",
    "redact_record",
    "redact_span",
]

_KEPT: Final = 256
_REPEATED_CHARS: Final = 256
_NAME_CHARS: Final = 512


class Redactors:
    """A redactor for each set of a function's own key names, beside the server's."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = tuple(keys)
        self._made: dict[tuple[str, ...], Redactor] = {}
        self.plain = Redactor(keys)

    def of(self, keys: Sequence[str]) -> Redactor:
        """For a function with these `redact_keys`."""
        if not keys:
            return self.plain
        wanted = tuple(keys)
        if wanted == self._keys:
            return self.plain
        found = self._made.get(wanted)
        if found is None:
            if len(self._made) >= _KEPT:
                self._made.clear()
            found = self._made[wanted] = Redactor((*self._keys, *wanted))
        return found


def redact_span(span: SpanData, redactor: Redactor) -> None:
    """Name, status message, and the attributes of the span, its events (an exception's message and
    stacktrace) and links: by name and by value."""
    span.name = redactor.text(span.name)
    span.status_message = redactor.text(span.status_message)
    span.trace_state = redactor.text(span.trace_state)
    _attributes(span.attributes, redactor)
    for event in span.events:
        event.name = redactor.text(event.name)
        _attributes(event.attributes, redactor)
    for link in span.links:
        _attributes(link.attributes, redactor)


def redact_open_span(span: OpenSpan, redactor: Redactor) -> None:
    """Its name, which is cut first: the worker does so, too, but is not trusted."""
    span.name = redactor.text(span.name[:_NAME_CHARS])


def redact_line(line: LogLine, redactor: Redactor, blocks: KeyBlocks, owner: Hashable) -> None:
    """The body and the attributes of a log line. `blocks` knows what the lines before it were, of each
    `owner` and stream."""
    line.body = blocks.line((owner, line.source), line.body, redactor)
    _attributes(line.attributes, redactor)


def redact_metric(metric: MetricData, redactor: Redactor) -> None:
    """Its texts, and the attributes of its points, cut as names are: the worker is not trusted."""
    for name in ("name", "unit", "description", "scope", "scope_version"):
        text = getattr(metric, name)
        if text:
            setattr(metric, name, _repeated(redactor, text[:_NAME_CHARS]))
    for point in metric.points:
        _attributes(point.attributes, redactor)


def redact_record(record: InvocationRecord, redactor: Redactor) -> None:
    """What the caller gave (path, event's id, trace state), attributes, and the error: the worker has
    redacted its own, but not one that the server made."""
    # Most have but a few of these, and to ask first is cheaper than to call.
    if record.http_path:
        path = _repeated(redactor, record.http_path)
        record.http_path = (
            hide_path(path, record.http_route, redactor.secret_key) if record.http_route else path
        )
    if record.user_agent:
        record.user_agent = _repeated(redactor, record.user_agent)
    if record.http_query:
        record.http_query = redactor.text(record.http_query)
    if record.event_id:
        record.event_id = redactor.text(record.event_id)
    if record.trace_state:
        record.trace_state = redactor.text(record.trace_state)
    if record.attributes:
        _texts(record.attributes, redactor)
    if record.span is not None:
        redact_span(record.span, redactor)
    error = record.error
    if error is not None:
        error.message = redactor.text(error.message)
        error.traceback = redactor.text(error.traceback)


def _attributes(attributes: dict[str, Attribute], redactor: Redactor) -> None:
    renamed: dict[str, str] = {}
    for name, value in attributes.items():
        if type(value) is not str:
            attributes[name] = redactor.typed_attribute(name, value)
        elif value and (len(value) > 5 or redactor.secret_key(name)):
            attributes[name] = redactor.attribute(name, value)
        shown = redactor.key(name)
        if shown is not name:
            renamed[name] = shown
    for name, shown in renamed.items():
        attributes[shown] = attributes.pop(name)


def _texts(attributes: dict[str, str], redactor: Redactor) -> None:
    typed: dict[str, Attribute] = dict(attributes)
    _attributes(typed, redactor)
    attributes.clear()
    attributes.update(attribute_texts(typed))


def _repeated(redactor: Redactor, text: str) -> str:
    """What comes with many requests is looked through once."""
    if len(text) > _REPEATED_CHARS:
        return redactor.text(text)
    return _once(redactor, text)


@lru_cache(maxsize=4_096)
def _once(redactor: Redactor, text: str) -> str:
    return redactor.text(text)
