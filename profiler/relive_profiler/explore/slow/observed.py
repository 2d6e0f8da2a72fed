"""What is known of one invocation when it is compared, and what is normal for its function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, TypeVar

__all__ = [
    "Blocked",
    "CallSum",
    "Normal",
    "Observed",
    "Spent",
    "is_slower",
    "middle",
    "normal_of",
    "trimmed",
]

T = TypeVar("T")
_LEAST_NS: Final = 2_000_000
_LEAST_SHARE: Final = 0.25
"""Below this much more than the median it is not slow."""


@dataclass(frozen=True, slots=True)
class CallSum:
    """Calls of one invocation to one place, or its spans of one name. `wait_ns`: of all of them; `retry_ns`:
    of the `retried` that failed and were made again, `pause_ns` from their ends until that."""

    count: float
    failed: float = 0
    wait_ns: float = 0
    retried: float = 0
    retry_ns: float = 0
    pause_ns: float = 0

    @property
    def each_ns(self) -> float:
        return self.wait_ns / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What its process was charged, beside its stacks. `runqueue_ns` -1: not known."""

    gc_ns: int = 0
    collections: int = 0
    runqueue_ns: int = -1
    system_ns: int = 0
    waits: int = 0
    preemptions: int = 0
    major_faults: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    memory_bytes: int = 0
    growth_bytes: int = 0
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Blocked:
    """Another request that kept the event loop for itself."""

    by: str
    ms: float
    file: str = ""
    line: int = 0
    function: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One attempt. Times in ns. `spent` and `calls` None: not recorded, as it had no samples."""

    invocation_id: str
    function: str
    version: int = 0
    status: str = "ok"
    cold: bool = False
    queue_ns: int = 0
    init_ns: int = 0
    duration_ns: int = 0
    cpu_ns: int = 0
    event_bytes: int = 0
    result_bytes: int = 0
    spent: Spent | None = None
    calls: Mapping[str, CallSum] | None = None
    spans: Mapping[str, CallSum] = field(default_factory=dict)
    blocked_ns: int = 0
    blocked_before_ns: int = 0  # of that, while it waited to begin
    blocks: tuple[Blocked, ...] = ()

    @property
    def total_ns(self) -> int:
        """From its acceptance to its answer, as far as it is the platform's and the function's time."""
        return self.queue_ns + self.init_ns + self.duration_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """Medians of `count` invocations. `spent` and `calls` None: of none of them are they known."""

    count: int = 0
    versions: tuple[int, ...] = ()
    total_ns: float = 0.0
    total_p95_ns: float = 0.0
    queue_ns: float = 0.0
    init_ns: float = 0.0
    duration_ns: float = 0.0
    cpu_ns: float = 0.0
    event_bytes: float = 0.0
    spent: Mapping[str, float] | None = None
    calls: Mapping[str, CallSum] | None = None
    spans: Mapping[str, CallSum] = field(default_factory=dict)
    blocked_ns: float = 0.0
    blocked_before_ns: float = 0.0


def middle(values: Iterable[float]) -> float:
    """Their median; 0 of none."""
    found = list(values)
    return float(median(found)) if found else 0.0


def normal_of(others: Sequence[Observed]) -> Normal:
    """What is normal, of the invocations that went well."""

    def of(take: Callable[[Observed], float]) -> float:
        return middle(map(take, others))

    measured = [one.spent for one in others if one.spent is not None]
    called = [one.calls for one in others if one.calls is not None]
    totals = sorted(one.total_ns for one in others)
    return Normal(
        count=len(others),
        versions=tuple(sorted({one.version for one in others})),
        total_ns=middle(totals),
        total_p95_ns=float(totals[min(int(len(totals) * 0.95), len(totals) - 1)]) if totals else 0.0,
        queue_ns=of(lambda one: one.queue_ns),
        init_ns=of(lambda one: one.init_ns),
        duration_ns=of(lambda one: one.duration_ns),
        cpu_ns=of(lambda one: one.cpu_ns),
        event_bytes=of(lambda one: one.event_bytes),
        spent=_spent(measured) if measured else None,
        calls=_sums(called) if called else None,
        spans=_sums([one.spans for one in others]),
        blocked_ns=of(lambda one: one.blocked_ns),
        blocked_before_ns=of(lambda one: one.blocked_before_ns),
    )


def trimmed(others: Sequence[Observed]) -> list[Observed]:
    """Those whose handlers took what is usual: without those that were slow themselves, and as many of the
    fastest, so that the mean of the rest is near the median of all."""
    usual_ns = middle(one.duration_ns for one in others)
    by_time = sorted(others, key=lambda one: one.duration_ns)
    slow = sum(is_slower(one.duration_ns, usual_ns) for one in others)
    return by_time[slow : len(by_time) - slow]


def is_slower(took_ns: float, usual_ns: float) -> bool:
    """Whether it took so much longer than the median that it is called slow."""
    return took_ns - usual_ns > max(_LEAST_NS, usual_ns * _LEAST_SHARE)


def _spent(measured: Sequence[Spent]) -> dict[str, float]:
    found = {name: middle(getattr(one, name) for one in measured) for name in Spent.__dataclass_fields__}
    found["runqueue_ns"] = middle(one.runqueue_ns for one in measured if one.runqueue_ns >= 0)
    return found


def _sums(all_calls: Sequence[Mapping[str, CallSum]]) -> dict[str, CallSum]:
    """Medians by place; who was not called is called 0 times."""
    nothing = CallSum(0)
    places = {place for calls in all_calls for place in calls}
    return {
        place: CallSum(
            *(
                middle(getattr(calls.get(place, nothing), name) for calls in all_calls)
                for name in CallSum.__dataclass_fields__
            )
        )
        for place in places
    }
