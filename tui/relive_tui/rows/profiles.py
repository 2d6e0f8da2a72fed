"""From what the profiler answers to what the screens show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_views.profiles.trees import HotRow

from relive_tui.models.lists.compare import HotChange
from relive_tui.models.profile.packages import place_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.profiles.trees import DiffRow, HotRow

__all__ = ["hot_change", "hottest_of"]


def hot_change(row: DiffRow) -> HotChange:
    """Of a difference's row."""
    return HotChange(row.file, row.line, row.name, row.before_self_ms, row.after_self_ms)


def hottest_of(rows: Iterable[HotRow]) -> dict[str, str]:
    """Function -> its hottest line and that line's share of the function's time."""
    best: dict[str, HotRow] = {}
    total: dict[str, float] = {}
    for row in rows:
        total[row.function] = total.get(row.function, 0.0) + row.self_s
        if row.function not in best or row.self_s > best[row.function].self_s:
            best[row.function] = row
    result = {}
    for function, row in best.items():
        share = 100.0 * row.self_s / total[function] if total[function] else 0.0
        result[function] = f"{place_in(row.file, row.line)} {share:.0f}%"
    return result
