"""Which samples are inside of a span: those taken in it, and in the spans below it of the same invocation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from relive_base.errors import NotFound
from relive_profiler.explore.filters import HotFilter
from relive_store import Store
from relive_tracer.explore import traces
from relive_tracer.explore.errors import AmbiguousId
from relive_tracer.explore.models import SpanRow
from relive_tracer.explore.rows import SCOPE

__all__ = ["SPANS", "SpanView", "filter_of", "span"]

SPANS: Final = 50_000
"""Of an invocation that are looked through."""

_ID: Final = re.compile(r"[0-9a-f]{4,16}")
_INVOCATION: Final = "faas.invocation_id"
_OUTCOME: Final = "relive.status"
"""The handler's span says it."""
_FIND: Final = """
SELECT SpanId, any(TraceId) FROM otel_traces
WHERE startsWith(SpanId, {prefix:String}) AND ({trace:String} = '' OR TraceId = {trace:String})
GROUP BY SpanId LIMIT 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanView:
    """A span, the invocation that it is of, and the ids under which its samples were taken. No ids: it is all
    of the invocation, or of its loading."""

    row: SpanRow
    invocation_id: str
    span_ids: tuple[str, ...]
    phase: str = "invoke"
    note: str = ""
    """What is missing of it."""


def span(store: Store, ident: str, trace_id: str = "", limit: int = SPANS) -> SpanView:
    """The span by its id, or the beginning of it. `trace_id`: of this trace. `limit`: so many spans of its
    invocation are looked through. Raises NotFound, AmbiguousId, StoreError."""
    if not _ID.fullmatch(ident.lower()):
        raise NotFound(
            f"{ident!r} is no span id", hint="4 to 16 hexadecimal digits: `relive trace ID --json`"
        )
    found = list(store.query(_FIND, {"prefix": ident.lower(), "trace": trace_id}).rows())
    if len(found) > 1:
        raise AmbiguousId(f"{ident!r} may mean {found[0][0]} and {found[1][0]}", hint="give more of the id")
    if not found:
        raise NotFound(f"no span has an id that begins with {ident!r}", hint="see `relive trace ID --json`")
    span_id, trace_id = str(found[0][0]), str(found[0][1])
    row = traces.span(store, trace_id, span_id)
    if row is None:  # taken away just now
        raise NotFound(f"span {span_id} is no longer there", hint="see `relive trace ID --json`")
    invocation_id = row.attributes.get(_INVOCATION, "")
    if not invocation_id:
        raise NotFound(f"span {span_id} ({row.name}) is of no invocation", hint="name a span of a function")
    spans = traces.invocation_spans(store, trace_id, invocation_id, limit + 1)
    note = f"of the first {limit:,} spans of its invocation" if len(spans) > limit else ""
    return _view(row, invocation_id, spans[:limit], note)


def filter_of(view: SpanView) -> HotFilter:
    """Its samples."""
    return HotFilter(invocation_ids=(view.invocation_id,), span_ids=view.span_ids, phase=view.phase)


def _view(row: SpanRow, invocation_id: str, spans: list[SpanRow], note: str) -> SpanView:
    below: dict[str, list[SpanRow]] = {}
    for one in spans:
        below.setdefault(one.parent_span_id, []).append(one)
    inside: dict[str, None] = {}
    todo = [row]
    while todo:
        one = todo.pop()
        if one.span_id not in inside:
            inside[one.span_id] = None
            todo += below.get(one.span_id, ())
    # The handler's own span, and what the platform has around it, hold all samples, also those in no span.
    whole = any(one.span_id in inside and _OUTCOME in one.attributes for one in (row, *spans))
    loads = row.scope == SCOPE and row.name == "init"
    return SpanView(
        row=row,
        invocation_id=invocation_id,
        span_ids=() if whole or loads else tuple(inside),
        phase="init" if loads else "invoke",
        note="" if whole or loads else note,
    )
