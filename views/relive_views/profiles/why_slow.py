"""Why one invocation was slow, with what is recorded of it and of its function's normal self."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relive_base.likeness import path_likeness
from relive_base.terminal import one_line
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
    trimmed,
)
from relive_store import Store
from relive_tracer.explore import invocations, span_sums
from relive_tracer.explore.invocations import InvocationFilter
from relive_tracer.explore.models import InvocationRow

__all__ = ["DiffTree", "WhySlow", "WhySlowView", "why_slow"]

_OTHERS: Final = 60
"""That it is compared with: of the same version and route, and of the same path or one like it, if there are
enough; the nearest in time."""
_FEW: Final = 3
_ENOUGH: Final = 5
_SLACK_NS: Final = 60_000_000_000
_HOLDS_NS: Final = 1_000_000
_GRPC: Final = "grpc"
_CLIENT_GONE: Final = 499
_REST: Final = "+}"
"""In a route that takes all paths below it."""
_MOUNT: Final = re.compile(r"^/fn/[^/]*")


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
    others, notes = _of_its_path(row, _of_its_method(store, row, _others(store, row)))
    ids = [row.invocation_id, *(other.invocation_id for other in others)]
    profiles = profiles_of(store, row.function, ids)
    observed = _observe(store, [row, *others], profiles)
    own = _key(row)
    engine = profiles.engine_of(own)
    usual = {one.invocation_id for one in trimmed(observed[1:])}
    before = profiles.folded(
        row.function, [_key(other) for other in others if other.invocation_id in usual], engine
    )
    after = profiles.folded(row.function, [own], engine)
    init = profiles.init(row.function, own) if row.cold else Folded()
    lines = source(row) if source is not None else _no_source
    answer = explain(observed[0], observed[1:], before, after, init, lines, notes)
    return WhySlowView(row=row, answer=answer, tree=diff_tree(before, after))


def _no_source(file: str, line: int) -> str:
    return ""


def _others(store: Store, row: InvocationRow) -> list[InvocationRow]:
    """Of the same version; of any, if there are too few."""
    found = _near(store, row, row.version)
    return found if len(found) >= _FEW else _near(store, row, 0)


def _of_its_method(store: Store, row: InvocationRow, others: list[InvocationRow]) -> list[InvocationRow]:
    """Of a call of gRPC: those of the same method."""
    if row.trigger != _GRPC or not others:
        return others
    ids = [row.invocation_id, *(other.invocation_id for other in others)]
    methods = span_sums.rpc_methods(store, ids, *_around([row, *others]))
    own = methods.get(row.invocation_id)
    return [other for other in others if methods.get(other.invocation_id) == own]


def _around(rows: Sequence[InvocationRow]) -> tuple[int, int]:
    first = min(row.started_at for row in rows)
    return first - _SLACK_NS, max(row.started_at + row.total_ns for row in rows) + _SLACK_NS


def _of_its_path(
    row: InvocationRow, others: list[InvocationRow]
) -> tuple[list[InvocationRow], tuple[str, ...]]:
    """Of a service, which has paths of its own behind one route: those of the same path, or else of paths
    that are like it, or else all; and what is to be said of that."""
    if row.http_route and _REST not in row.http_route:
        return others, ()  # the route itself says what is alike
    if all(other.http_path == row.http_path for other in others):
        return others, ()
    same = [other for other in others if other.http_path == row.http_path]
    if len(same) >= _FEW:
        return same, ()
    likeness = [path_likeness(_inner(other), _inner(row)) for other in others]
    like = [other for other, points in zip(others, likeness, strict=True) if points and not points % 2]
    if len(like) >= _FEW:
        return like, ()  # they differ in what looks like ids
    like = [other for other, points in zip(others, likeness, strict=True) if points]
    if len(like) >= _FEW:
        return like, (one_line(f"compared with requests of paths like {_inner(row)}"),)
    told = f"compared with requests of other paths: of {_inner(row)} there are too few that went well"
    return others, (one_line(told),)


def _inner(row: InvocationRow) -> str:
    """The path as the application sees it."""
    return _MOUNT.sub("", row.http_path, count=1) or "/"


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
        if other.http_status != _CLIENT_GONE  # its time is that of its client's patience
    ]


def _observe(store: Store, rows: Sequence[InvocationRow], profiles: Profiles) -> list[Observed]:
    ids = [row.invocation_id for row in rows]
    since_ns, until_ns = _around(rows)
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
                blocked_before_ns=round(block.before_ms * _HOLDS_NS) if block is not None else 0,
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
