"""A trace as it is to be shown: made of its spans by a worker, for with many of them it takes a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.trace.spans import Trace, build_trace, minimap
from relive_tui.models.trace.waterfall import WaterfallRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.records import SpanRow, Unkept

    from relive_tui.models.layout.text import Line
    from relive_tui.models.navigation.scope import Scope

__all__ = ["Read", "read_trace"]


@dataclass(frozen=True, slots=True)
class Read:
    """A trace, or its beginning, ready to be shown. `minimap`: for a width; `more`: it has more spans;
    `dropped`: how many more things were over the limits of its invocations; `left_out`: spans that
    `span_share` left out."""

    trace_id: str
    trace: Trace
    rows: WaterfallRows
    beginning: int
    minimap: tuple[int, Line]
    more: bool
    dropped: int
    left_out: int


def read_trace(
    trace_id: str,
    spans: Sequence[SpanRow],
    scope: Scope,
    width: int,
    limit: int,
    missing: Unkept | None = None,
) -> Read:
    """Of the first `limit` spans; the minimap for a width."""
    trace = build_trace(spans)
    return Read(
        trace_id=trace_id,
        trace=trace,
        rows=WaterfallRows(trace),
        beginning=trace.worst(scope.invocation_id, scope.attempt),
        minimap=(width, minimap(trace, width)),
        more=len(spans) >= limit,
        dropped=sum(missing.dropped.values()) if missing is not None else 0,
        left_out=sum(missing.left_out.values()) if missing is not None else 0,
    )
