"""Why one invocation was slow, with what is recorded of it and of its function's normal self."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relive_profiler.explore.diff_tree import DiffTree, diff_tree
from relive_profiler.explore.folding import Folded
from relive_profiler.explore.slow import (
    Blocked,
    CallSum,
    Observed,
    Profiles,
    WhySlow,
    explain,
    profiles_of,
)
from relive_store import Store
from relive_tracer.explore import invocations, span_sums
from relive_tracer.explore.invocations import InvocationFilter
from relive_tracer.explore.models import InvocationRow

__all__ = ["DiffTree", "WhySlow", "WhySlowView", "why_slow"]

_OTHERS: Final = 60
"""That it is compared with: those of the same version, and of the same route, that were nearest in time."""
_FEW: Final = 3
_ENOUGH: Final = 5
_SLACK_NS: Final = 60_000_000_000
_HOLDS_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WhySlowView:
    """The answer, and the differential flame under it."""

    row: InvocationRow
    answer: WhySlow
    tree: DiffTree = field(default_factory=DiffTree)

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive why-slow --json`."""
        return {**self.answer.as_json(), "flame": self.tree.as_json()}


def why_slow(
    store: Store,
    ident: str,
    *,
    attempt: int = 0,
    source: Callable[[InvocationRow], Callable[[str, int], str]] | None = None,
) -> WhySlowView:
    """Of one invocation, by its id or the beginning of it. `source`: where lines of its version are read.
    Raises InvocationNotFound, AmbiguousId, StoreError."""
    row = invocations.get(store, ident, attempt=attempt)
    others = _others(store, row)
    ids = [row.invocation_id, *(other.invocation_id for other in others)]
    profiles = profiles_of(store, row.function, ids)
    observed = _observe(store, [row, *others], profiles)
    own = _key(row)
    engine = profiles.engine_of(own)
    before = profiles.folded(row.function, [_key(other) for other in others], engine)
    after = profiles.folded(row.function, [own], engine)
    init = profiles.init(row.function, own) if row.cold else Folded()
    lines = source(row) if source is not None else _no_source
    answer = explain(observed[0], observed[1:], before, after, init, lines)
    return WhySlowView(row=row, answer=answer, tree=diff_tree(before, after))


def _no_source(file: str, line: int) -> str:
    return ""


def _others(store: Store, row: InvocationRow) -> list[InvocationRow]:
    """Of the same version; of any, if there are too few."""
    found = _near(store, row, row.version)
    return found if len(found) >= _FEW else _near(store, row, 0)


def _near(store: Store, row: InvocationRow, version: int) -> list[InvocationRow]:
    wanted = InvocationFilter(function=row.function, version=version, statuses=("ok",))
    key = invocations.key_of(row)
    found = _alike(invocations.page(store, wanted, before=key, limit=_OTHERS), row)
    if len(found) < _ENOUGH:
        found += _alike(invocations.page(store, wanted, after=key, limit=_OTHERS), row)
    found.sort(key=lambda other: abs(other.started_at - row.started_at))
    return found[:_OTHERS]


def _alike(others: Sequence[InvocationRow], row: InvocationRow) -> list[InvocationRow]:
    """Those that are asked for the same: of an HTTP function, by the same method and route."""
    asked = (row.http_method, row.http_route)
    return [
        other
        for other in others
        if (other.http_method, other.http_route) == asked and other.invocation_id != row.invocation_id
    ]


def _observe(store: Store, rows: Sequence[InvocationRow], profiles: Profiles) -> list[Observed]:
    ids = [row.invocation_id for row in rows]
    since_ns = min(row.started_at for row in rows) - _SLACK_NS
    until_ns = max(row.started_at + row.total_ns for row in rows) + _SLACK_NS
    spans: dict[str, dict[str, CallSum]] = {}
    for one in span_sums.span_sums(store, ids, since_ns, until_ns):
        spans.setdefault(one.invocation_id, {})[one.name] = CallSum(one.count, one.failed, one.took_ns)
    blocked = {one.invocation_id: one for one in span_sums.blocks(store, ids, since_ns, until_ns)}
    found = []
    for row in rows:
        profile = profiles.handlers.get(_key(row))
        block = blocked.get(row.invocation_id)
        found.append(
            Observed(
                invocation_id=row.invocation_id,
                function=row.function,
                version=row.version,
                status=row.status,
                cold=row.cold,
                queue_ns=row.queue_ns,
                init_ns=row.init_ns,
                duration_ns=row.duration_ns,
                cpu_ns=row.cpu_ns,
                event_bytes=row.event_bytes,
                result_bytes=row.result_bytes,
                spent=profile.spent if profile is not None else None,
                calls=profile.calls if profile is not None else None,
                spans=spans.get(row.invocation_id, {}),
                blocked_ns=round(block.blocked_ms * _HOLDS_NS) if block is not None else 0,
                blocks=tuple(map(_blocked, block.by)) if block is not None else (),
            )
        )
    return found


def _blocked(attributes: dict[str, str]) -> Blocked:
    def text(name: str) -> str:
        return attributes.get(f"relive.blocked.{name}", "")

    return Blocked(
        by=text("by"),
        ms=float(text("ms") or 0),
        file=text("file"),
        line=int(text("line")) if text("line").isdigit() else 0,
        function=text("function"),
        route=text("route"),
    )


def _key(row: InvocationRow) -> tuple[str, int]:
    return row.invocation_id, row.attempt
