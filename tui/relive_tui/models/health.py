"""What the platform says of itself: whether what is shown is of now, and why it perhaps is not."""

from __future__ import annotations

from dataclasses import dataclass

from relive_tui.models.layout.format import count_short
from relive_tui.models.layout.text import Line, clean

__all__ = ["Health", "health_line", "lateness", "live_badge"]

_LATE_S = 2.0  # what is younger arrives while one looks


@dataclass(frozen=True, slots=True)
class Health:
    """What the platform says of itself; `reachable` is False when there is no server to ask."""

    reachable: bool = False
    lag_s: float = 0.0
    dropped: int = 0
    spooled: int = 0
    workers: str = ""
    queue: str = ""
    detail: str = ""
    store: str = ""  # why the store cannot be used now
    firing: int = 0  # alerts


def lateness(health: Health | None) -> str:
    """Why what was recorded is perhaps not shown yet; "" if all is there or there is no server to ask."""
    if health is None or not health.reachable:
        return ""
    waiting = f"\n\n{count_short(health.spooled)} rows wait" if health.spooled else ""
    if health.store:
        return f"The store is {clean(health.store)}.{waiting}"
    if health.lag_s > _LATE_S:
        return f"The store is behind by {health.lag_s:,.0f} s: what happened since is shown later.{waiting}"
    return ""


def health_line(health: Health | None, *, paused: bool, new: int) -> Line:
    """The live line at the bottom of Home."""
    if paused:
        line: Line = [("⏸ PAUSED", "warn"), (f"  {count_short(new)} new" if new else "", "bold")]
    else:
        line = [("▶ LIVE", "ok")]
    if health is None:
        return line
    if not health.reachable:
        told = ("○ no server: showing what was recorded", "dim")
        return [*line, ("  ", ""), told] if paused else [told]
    late = health.lag_s > _LATE_S
    if (late or health.store) and not paused:
        line = [("! BEHIND", "warn")]
    if health.store:
        line += [("  ! store ", "warn"), (clean(health.store), "warn")]
        if health.spooled:
            line += [("  spooled ", "dim"), (count_short(health.spooled), "")]
    if health.firing:
        line.append((f"  ✖ {health.firing} alert{'s' * (health.firing != 1)} (8)", "error"))
    line += [
        ("  ingest lag ", "dim"),
        (("! " if late else "") + f"{health.lag_s:.1f}s", "warn" if late else ""),
    ]
    line += [("  dropped ", "dim"), (("! " if health.dropped else "") + count_short(health.dropped), "")]
    for label, value in (("workers", health.workers), ("queue", health.queue), ("", health.detail)):
        if value:
            line += [(f"  {label} ", "dim"), (clean(value), "")]
    return line


def live_badge(health: Health | None, *, paused: bool, new: int, failing: bool, follows: bool) -> Line:
    """`▶ LIVE` exactly where what is shown follows what happens; else why it does not, and nothing of a
    screen whose data stays as it is. `health` None: there is nobody to ask."""
    if paused:
        return [(f"⏸ PAUSED {count_short(new)} new " if new else "⏸ PAUSED ", "warn")]
    if failing:
        return [("✖ NO ANSWER ", "error")]
    if health is not None and not health.reachable:
        return [("○ no server ", "dim")]
    if health is not None and (health.store or health.lag_s > _LATE_S):
        return [(f"! BEHIND {health.lag_s:,.0f}s ", "warn")]
    return [("▶ LIVE ", "ok")] if follows else []
