"""What an alert looks at: the store, or the platform's own metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from relive_base.terminal import one_line
from relive_store import Store
from relive_tracer.explore.health.functions import Figures, figures_of
from relive_tracer.explore.health.objectives import failed_counts, late_counts
from relive_tracer.explore.health.ranges import Range

from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.verdicts import Counts, Verdict, burning, compared, windows_s
from relive_platform.metrics.families import Family

__all__ = ["looked_at", "own_value"]

QUERY_S: Final = 10.0
_MAX_ROWS: Final = 1_000
_NS: Final = 1_000_000_000


def looked_at(config: AlertConfig, app: str, store: Store, now_ns: int) -> Verdict:
    """A look at the store. It blocks, for some QUERY_S at most. Raises StoreError."""
    if config.sql:
        found = store.query(config.sql, timeout_s=QUERY_S, max_rows=_MAX_ROWS, read_only=True)
        value = found.scalar() if len(found) else None
        number = _number(value)
        if number is None and value is not None:
            return Verdict(
                None, reason=f"the first value of the query is no number: {one_line(str(value), 40)}"
            )
        return compared(config, number)
    if config.slo:
        counts = _counts(config, app, store, now_ns)
        return burning(config, counts)
    span = Range.of(now_ns - config.over_s * _NS, now_ns, 1)
    figures = figures_of(store, span, app=app, function=config.function, timeout_s=QUERY_S)
    if config.min_attempts and figures.attempts < config.min_attempts:
        few = f"{figures.attempts} attempts, fewer than {config.min_attempts}"
        return Verdict(False, None, config.above, few)
    return compared(config, _value(config.metric, figures, span.seconds))


def _value(metric: str, figures: Figures, seconds: float) -> float | None:
    if metric == "rate":
        return figures.attempts / seconds
    value = getattr(figures, metric)
    if metric == "largest_rss_bytes" and not figures.attempts:
        return None
    return float(value) if value is not None else None


def _counts(config: AlertConfig, app: str, store: Store, now_ns: int) -> dict[int, Counts]:
    if config.slo == "latency":
        under_ns = round(config.under_ms * 1e6)
        found = late_counts(
            store, now_ns, windows_s(), under_ns, app=app, function=config.function, timeout_s=QUERY_S
        )
    else:
        found = failed_counts(
            store, now_ns, windows_s(), app=app, function=config.function, timeout_s=QUERY_S
        )
    return {length: Counts(bad, total) for length, (bad, total) in found.items()}


def own_value(config: AlertConfig, families: Iterable[Family]) -> Verdict:
    """A look at the platform's own metrics, as they are now."""
    wanted = set(config.attributes.items())
    values: Sequence[float] = [
        point.value
        for family in families
        if family.name == config.metric
        for point in family.numbers
        if wanted <= set(point.attributes)
    ]
    return compared(config, max(values, default=None))


def _number(value: Any) -> float | None:
    """Texts are numbers, too: a decimal comes as one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
