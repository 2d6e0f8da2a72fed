"""An invocation's time in parts that add up, beside what they normally are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relive_profiler.explore.slow.observed import Normal, Observed

__all__ = ["PARTS", "Part", "parts_of", "weights_of"]

_SHORT_NS: Final = 5_000_000
PARTS: Final = {
    "queue": "waiting for a worker",
    "init": "cold start",
    "cpu": "own CPU",
    "gc": "garbage collector",
    "runqueue": "waiting for a CPU",
    "blocked": "blocked by another request",
    "wait": "waiting for something else",
}
"""In words. Within the handler, what is none of the others is waiting."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of PARTS, in ns."""

    name: str
    before_ns: float
    after_ns: float

    @property
    def change_ns(self) -> float:
        return self.after_ns - self.before_ns

    @property
    def words(self) -> str:
        return PARTS[self.name]


def parts_of(now: Observed, normal: Normal) -> list[Part]:
    """The largest change first. What was not measured of one side is not told apart on either: it stays in
    the part that it is of. Of short invocations nothing is measured, and nothing is large."""
    measured = now.spent is not None and (normal.spent is not None or normal.duration_ns < _SHORT_NS)
    spent = now.spent if measured else None
    usual = normal.spent if measured and normal.spent is not None else {}
    knows_queue = spent is not None and spent.runqueue_ns >= 0
    gc_after, gc_before = (spent.gc_ns if spent is not None else 0), usual.get("gc_ns", 0.0)
    run_after, run_before = (
        (spent.runqueue_ns, usual.get("runqueue_ns", 0.0)) if spent is not None and knows_queue else (0, 0.0)
    )
    held_before, held_after = _held_up(normal), _held_up(now)
    blocked_after = now.blocked_ns - now.blocked_before_ns
    blocked_before = normal.blocked_ns - normal.blocked_before_ns
    after = _handler(now.duration_ns, now.cpu_ns, gc_after, run_after, blocked_after)
    before = _handler(normal.duration_ns, normal.cpu_ns, gc_before, run_before, blocked_before)
    after["blocked"] += held_after
    before["blocked"] += held_before
    found = [
        Part("queue", normal.queue_ns - held_before, now.queue_ns - held_after),
        Part("init", normal.init_ns, now.init_ns),
        *(Part(name, before[name], after[name]) for name in after),
    ]
    return sorted(found, key=lambda part: -part.change_ns)


def weights_of(parts: Sequence[Part], now: Observed, normal: Normal) -> dict[str, float]:
    """What each part is to blame for, in ns. Who computes more, or wakes up more often, waits for a CPU more
    often, too: that belongs to the computing, or the waiting, and only the rest is others' doing."""
    changes = {part.name: part.change_ns for part in parts}
    named = {part.name: part for part in parts}
    spent = now.spent
    if spent is None or not named["runqueue"].after_ns:
        return changes
    usual_waits = (normal.spent or {}).get("waits", 0.0)
    woken = spent.waits / max(spent.waits + spent.preemptions, 1)
    before = named["cpu"].before_ns + named["gc"].before_ns
    after = named["cpu"].after_ns + named["gc"].after_ns
    by_waits_ns = named["runqueue"].after_ns * woken * _grown(usual_waits, spent.waits)
    by_cpu_ns = named["runqueue"].after_ns * (1 - woken) * _grown(before, after)
    changes["runqueue"] -= by_waits_ns + by_cpu_ns
    changes["wait"] += by_waits_ns
    cpu_ns, gc_ns = (max(named[name].change_ns, 0.0) for name in ("cpu", "gc"))
    changes["cpu"] += by_cpu_ns * cpu_ns / max(cpu_ns + gc_ns, 1.0)
    changes["gc"] += by_cpu_ns * gc_ns / max(cpu_ns + gc_ns, 1.0)
    return changes


def _grown(before: float, after: float) -> float:
    """Which share of `after` is new."""
    return max(1 - before / after, 0.0) if after > 0 else 0.0


def _held_up(one: Observed | Normal) -> float:
    """The part of its waiting time in which another request kept the worker from beginning it."""
    return min(one.blocked_before_ns, one.queue_ns)


def _handler(
    duration_ns: float, cpu_ns: float, gc_ns: float, runqueue_ns: float, blocked_ns: float
) -> dict[str, float]:
    """Parts of the handler's time. Threads may use more CPU time than has passed: what has passed counts."""
    left = duration_ns
    found = {}
    for name, value in (
        ("blocked", blocked_ns),
        ("gc", gc_ns),
        ("cpu", max(cpu_ns - gc_ns, 0)),
        ("runqueue", runqueue_ns),
    ):
        found[name] = min(max(value, 0.0), max(left, 0.0))
        left -= found[name]
    found["wait"] = max(left, 0.0)
    return found
