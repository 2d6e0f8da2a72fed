"""Where the time went: hot lines and functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from relive_profiler.explore import hot as explore
from relive_profiler.explore.filters import HotFilter
from relive_store import Store

from relive_views.places import place

__all__ = ["HotFilter", "HotList", "HotView", "hot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HotView:
    """A line or a function of the code, and the time spent in it. `total_s` has what it called in it;
    `self_cpu_s` is what of `self_s` was on the CPU: the rest was waiting."""

    function: str
    name: str
    file: str
    line: int
    where: str
    self_s: float
    self_cpu_s: float
    total_s: float
    self_pct: float
    samples: int
    invocations: int

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive hot --json`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class HotList:
    """The rows, and of how much they are. `note`: how exact they are."""

    rows: list[HotView]
    samples: int
    invocations: int
    note: str


def hot(
    store: Store,
    wanted: HotFilter,
    by: Literal["line", "function", "module"],
    limit: int,
    weight: Literal["wall", "cpu"] = "wall",
) -> HotList:
    """The hottest first, by their own time, or by that on the CPU: then all times are. Raises StoreError."""
    result = explore.hot(store, wanted, by, limit, weight=weight)
    rows = [
        HotView(
            function=row.function,
            name=row.name,
            file=row.file,
            line=row.line,
            where=place(row.file, row.line),
            self_s=row.self_s,
            self_cpu_s=row.self_cpu_s,
            total_s=row.total_s,
            self_pct=row.self_pct,
            samples=row.samples,
            invocations=row.invocations,
        )
        for row in result.rows
    ]
    return HotList(rows=rows, samples=result.samples, invocations=result.invocations, note=result.note)
