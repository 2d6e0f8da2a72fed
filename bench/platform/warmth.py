"""Keeping workers warm: what callers wait for and what idle workers hold, by policy.

The generator has the distributions that Shahrad et al. (ATC'20) published of Azure Functions: eight orders of
magnitude of rates, 45 % of applications at most once an hour and 81 % at most once a minute; the shares of
triggers; about 40 % with a coefficient of variation over 1; memory Burr(11.652, 0.221, 107 MB). Start times
are lognormal with a median of 0.3 s and 3 s at the 95th percentile. The seed is fixed: the same arrivals for
each policy, and in each run. The first two days are for learning. The policy is Relive's own, as its server
runs it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["run", "try_out"]

_SEED: Final = 7
_DAY_S: Final = 86_400.0
_DAYS: Final = 10
_LEARNING_DAYS: Final = 2
_APPS: Final = 700
_TARGET: Final = 0.65  # of what callers wait under a fixed 10 minutes, at the same memory
_MAX_A_DAY: Final = 1_500.0
_PERIODS_MIN: Final = (1, 5, 10, 15, 30, 60, 120, 360, 720, 1440)
_FEW: Final = 400  # idle times that a refit looks back

Windows = list[tuple[float, float]]


@dataclass(frozen=True)
class App:
    """One application: when it is invoked (s), its timer's period, and what a worker of it costs."""

    kind: str
    times: Any
    period_s: float
    memory_gb: float
    start_s: float


def _rate_a_day(rng: Any) -> float:
    import numpy as np

    known = [0, 0.10, 0.45, 0.65, 0.81, 0.93, 0.99, 1.0]
    tens = [-0.3, 0.4, math.log10(24), 2.3, math.log10(1440), 4.2, 5.5, 6.5]
    return min(10 ** float(np.interp(rng.random(), known, tens)), _MAX_A_DAY)


def _people(rng: Any, kind: str, rate: float) -> Any:
    """Arrivals with days, weekends, bursts and office hours."""
    import numpy as np

    end = _DAYS * _DAY_S
    phase, swing = rng.random() * _DAY_S, rng.random() * (0.5 if kind == "queue" else 1)
    bursts = kind in ("queue", "event", "http") and rng.random() < 0.5
    size = int(rng.integers(2, 12)) if bursts else 1
    times = np.sort(rng.random(rng.poisson(rate * _DAYS / size * 2)) * end)
    weekend = np.where((times // _DAY_S) % 7 >= 5, 0.5, 1.0)
    day = 1 + swing * np.sin(2 * np.pi * (times - phase) / _DAY_S)
    times = times[rng.random(len(times)) < 0.5 * weekend * day / (1 + swing) * 1.4]
    if bursts:
        spread = rng.choice([3.0, 30.0, 180.0])
        times = np.concatenate([times + k * rng.exponential(spread, len(times)) for k in range(size)])
    if rng.random() < 0.1:
        times = times[(times % _DAY_S) < _DAY_S * rng.uniform(0.1, 0.4)]
    return times


def _app(rng: Any) -> App | None:
    import numpy as np

    kinds, shares = (
        ["http", "queue", "event", "timer", "mixed", "other"],
        [0.50, 0.13, 0.04, 0.16, 0.13, 0.04],
    )
    kind, rate, end = str(rng.choice(kinds, p=shares)), _rate_a_day(rng), _DAYS * _DAY_S
    period_s = 0.0
    if kind == "timer":
        wanted = max(1440 / rate, 1)
        period_s = 60.0 * min(_PERIODS_MIN, key=lambda minutes: abs(math.log(minutes / wanted)))
        times = np.arange(rng.random() * period_s, end, period_s)
        times = times + rng.normal(0, 0.6, len(times)).clip(-3, 3)
    else:
        times = _people(rng, kind, rate)
        if kind == "mixed":
            period_s = 60.0 * float(rng.choice([15, 30, 60, 360, 1440]))
            times = np.concatenate([times, np.arange(rng.random() * period_s, end, period_s)])
    times = np.sort(times[times < end])
    memory_mb = min(107.083 * ((1 - rng.random()) ** (-1 / 0.221) - 1) ** (1 / 11.652), 1500)
    start_s = float(np.exp(rng.normal(math.log(0.3), 1.4)))
    return App(kind, times, period_s, memory_mb / 1024, start_s) if len(times) >= 3 else None


def fleet(count: int) -> list[App]:
    """The same applications each time."""
    import numpy as np

    rng = np.random.default_rng(_SEED)
    found: list[App] = []
    while len(found) < count:
        if (app := _app(rng)) is not None:
            found.append(app)
    return found


# ---------------------------------------------------------------- policies


def fixed(minutes: float) -> Callable[[App, Any], Windows]:
    """Every worker stays for so long."""
    return lambda app, gaps: [(0.0, minutes * 60)]


def learned(price: float, prior: tuple[float, ...]) -> Callable[[App, Any], Windows]:
    """Relive's own; timers are known, and a worker is forked before them."""
    from relive_platform.engine.warmth.policy import Costs, windows

    def of(app: App, gaps: Any) -> Windows:
        if app.kind == "timer":
            return [(max(app.period_s - 6 - app.start_s, 0), app.period_s + 6)]
        return windows(_history(gaps), Costs(app.start_s, app.memory_gb, price), prior)

    return of


@dataclass(frozen=True)
class Outcome:
    """What a policy comes to: ms that an invocation waits for starts, GB-h that idle workers hold for each
    application and day, shares of cold invocations."""

    waited_ms: float
    idle_gb_h: float
    cold: float
    cold_timers: float


def simulate(apps: list[App], policy: Callable[[App, Any], Windows]) -> Outcome:
    """One worker for each application; windows are found anew as its history grows."""
    import numpy as np

    count = waited = held = cold = timers = cold_timers = 0.0
    for app in apps:
        gaps = np.diff(app.times)
        missed, kept = np.zeros(len(gaps), bool), np.zeros(len(gaps))
        begin = 0
        while begin < len(gaps):
            end = min(len(gaps), max(begin + 1, int(begin * 1.25)))
            part = gaps[begin:end]
            warm = np.zeros(len(part), bool)
            for low, high in policy(app, gaps[max(0, begin - _FEW) : begin]):
                warm |= (part >= low) & (part <= high)
                kept[begin:end] += np.clip(np.minimum(part, high) - low, 0, None)
            missed[begin:end] = ~warm
            begin = end
        counted = app.times[1:] > _LEARNING_DAYS * _DAY_S
        count += counted.sum()
        cold += missed[counted].sum()
        waited += missed[counted].sum() * app.start_s
        held += kept[counted].sum() * app.memory_gb
        if app.kind == "timer":
            timers += counted.sum()
            cold_timers += missed[counted].sum()
    days = _DAYS - _LEARNING_DAYS
    return Outcome(
        waited_ms=float(waited / count * 1e3),
        idle_gb_h=float(held / 3600 / days / len(apps)),
        cold=float(cold / count),
        cold_timers=float(cold_timers / max(timers, 1)),
    )


def habits(apps: list[App]) -> tuple[float, ...]:
    """What the fleet knows of itself after its first day."""
    import numpy as np
    from relive_platform.engine.warmth.policy import prior_of

    return prior_of([_history(np.diff(app.times[app.times < _DAY_S])[-_FEW:]) for app in apps])


def _history(gaps: Any) -> Any:
    """What `History.add` of one after the other makes, which would take most of the time."""
    import numpy as np
    from relive_platform.engine.warmth.policy import DECAY, EDGES_S, RECENT, History

    weights = DECAY ** np.arange(len(gaps))[::-1]
    edges = [*EDGES_S[:-1], math.inf]  # whatever is longer than the last bin is in it
    counts = np.histogram(gaps, edges, weights=weights)[0]
    recent = deque((float(gap) for gap in gaps[-RECENT:]), RECENT)
    return History(counts.tolist(), recent, len(gaps))


def at_equal_memory(apps: list[App], idle_gb_h: float, prior: tuple[float, ...]) -> Outcome:
    """The learned policy at the price for which idle workers hold as much."""
    low, high = 10.0, 100_000.0
    for _ in range(9):
        middle = math.sqrt(low * high)
        if simulate(apps, learned(middle, prior)).idle_gb_h > idle_gb_h:
            high = middle
        else:
            low = middle
    return simulate(apps, learned(low, prior))


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows for the fixed policies, for Relive's, and for Relive's at the memory of a fixed 10 minutes."""
    from relive_platform.settings import Settings

    apps = fleet(150 if quick else _APPS)
    prior = habits(apps)
    price = Settings().warm_price
    ten = simulate(apps, fixed(10))
    equal = at_equal_memory(apps, ten.idle_gb_h, prior)
    rows = [_row(f"fixed {minutes} min", simulate(apps, fixed(minutes))) for minutes in (5, 10, 20)]
    rows.append(_row("learned, as it is set", simulate(apps, learned(price, prior))))
    rows.append(_row("learned, at the memory of fixed 10 min", equal))
    share = equal.waited_ms / ten.waited_ms
    rows.append(
        {
            "name": "learned: waiting at the memory of fixed 10 min",
            "value": round(share, 3),
            "unit": "x fixed 10 min",
            "target": f"<= {_TARGET}",
            "ok": share <= _TARGET and not equal.cold_timers,
        }
    )
    return rows


def _row(name: str, outcome: Outcome) -> dict[str, Any]:
    unit = (
        f"ms waited per invocation ({outcome.idle_gb_h:.2f} GB-h idle per app and day,"
        f" {outcome.cold:.1%} cold, timers {outcome.cold_timers:.1%})"
    )
    return {
        "name": f"keep warm: {name}",
        "value": round(outcome.waited_ms, 1),
        "unit": unit,
        "target": "",
        "ok": None,
    }


def try_out() -> None:
    """A few applications."""
    apps = fleet(5)
    simulate(apps, learned(700.0, habits(apps)))
