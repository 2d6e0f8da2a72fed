"""What `relive.toml` says of an alert."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from relive_base.shown_numbers import shown_number
from relive_store import QueryError, check_query

from relive_platform.alerts.durations import DURATION_HINT, duration_s
from relive_platform.keys import Key
from relive_platform.names import NAME, NAME_HINT
from relive_platform.triggers.destinations.config import destination_problems

__all__ = ["FUNCTION_METRICS", "KEYS", "NO_DATA", "AlertConfig", "problems"]

FUNCTION_METRICS: Final = (
    "rate", "attempts", "failed", "rejected", "error_rate", "p50_ms", "p95_ms", "p99_ms", "waited_p50_ms",
    "waited_p95_ms", "waited_p99_ms", "cold_starts", "largest_rss_bytes",
)  # fmt: skip
"""Metrics of functions, by the names of `relive metrics --json`."""
_OWN: Final = ("relive.", "process.")
_SLOS: Final = ("errors", "latency")
NO_DATA: Final = ("no data", "ok", "firing", "keep")
_EVERY_S: Final = (10, 86_400)
_OVER_S: Final = (60, 30 * 86_400)
_FOR_S: Final = (0, 7 * 86_400)
_PERIOD_S: Final = (7 * 86_400, 90 * 86_400)
_SQL_CHARS: Final = 10_000

KEYS: Final[Mapping[str, Key]] = {
    "metric": Key(
        "text",
        f"What is measured of the functions: {', '.join(FUNCTION_METRICS)}; or one of the platform's own"
        " metrics, such as relive.queue.age.",
    ),
    "sql": Key("text", "A query that reads; the first value of its first row is compared."),
    "slo": Key("text", "An objective for the functions, whose burn rates are watched.", choices=_SLOS),
    "objective": Key(
        "number", "Of an slo: the share of good attempts, from 0.5 to 0.999999.", low=0.5, high=0.999999
    ),
    "under_ms": Key("number", 'Of slo = "latency": a good attempt takes no longer.', low=0.001),
    "period": Key("text", 'Of an slo: the time of its error budget, from 7d to 90d. Default: "30d".'),
    "function": Key("text", "Of which function. Default: all of the application, together."),
    "attributes": Key(
        "map", "Of a metric of the platform: which of its series. Of several the largest counts."
    ),
    "above": Key("number", "It is wrong if the value is above this."),
    "below": Key("number", "It is wrong if the value is below this."),
    "over": Key("text", 'Of a metric of functions: the time looked at, from 60s to 30d. Default: "5m".'),
    "for": Key("text", 'How long it must be wrong before the alert fires, at most 7d. Default: "0s".'),
    "every": Key("text", 'How often it is looked at, from 10s to 1d. Default: "30s".'),
    "min_attempts": Key("whole", "With fewer attempts in that time nothing is wrong.", low=0),
    "no_data": Key("text", 'State if there is nothing to measure. Default: "no data".', choices=NO_DATA),
    "severity": Key("text", "A word of yours, such as page or ticket, for whoever is told."),
    "description": Key("text", "What to do about it, for whoever is told."),
    "webhook": Key("text", "URL that each change is sent to by POST, as JSON."),
    "webhook_env": Key("text", "Variable of the server's environment that holds that URL."),
}  # fmt: skip


class AlertConfig(msgspec.Struct, frozen=True, kw_only=True, rename={"for_s": "for"}):
    """One alert; times in seconds. It has one of `metric`, `sql` and `slo`."""

    metric: str = ""
    sql: str = ""
    slo: str = ""
    objective: float = 0.0
    under_ms: float = 0.0
    period_s: int = 30 * 86_400
    function: str = ""
    attributes: dict[str, str] = {}
    above: float | None = None
    below: float | None = None
    over_s: int = 300
    for_s: int = 0
    every_s: int = 30
    min_attempts: int = 0
    no_data: str = "no data"
    severity: str = ""
    description: str = ""
    webhook: str = ""
    webhook_env: str = ""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> AlertConfig:
        """Of a table whose `problems` there are none of."""
        values = dict(table)
        for key in ("period", "over", "for", "every"):
            if key in values:
                values[f"{key}_s"] = duration_s(values.pop(key)) or 0
        return cls(**values)

    @property
    def own(self) -> bool:
        """Whether it is on a metric of the platform itself."""
        return self.metric.startswith(_OWN)

    def describe(self) -> str:
        """The condition, as people read it: "error_rate of checkout above 0.05 over 5m"."""
        of = f" of {self.function}" if self.function else ""
        if self.slo:
            what = f"{shown_number(self.under_ms, 6)} ms" if self.slo == "latency" else "no error"
            return f"{self.objective * 100:g} % {what}{of}"
        limits = [
            f"{name} {shown_number(value, 6)}"
            for name, value in (("above", self.above), ("below", self.below))
            if value is not None
        ]
        pairs = "".join(f" {name}={value}" for name, value in sorted(self.attributes.items()))
        what = " ".join(self.sql.split()) if self.sql else f"{self.metric}{pairs}"
        return f"{what}{of} {' or '.join(limits)}"


def problems(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint of everything that is wrong with a table whose keys have the right types."""
    kinds = [key for key in ("metric", "sql", "slo") if key in table]
    if len(kinds) != 1:
        yield (
            "metric",
            f"the alert has {' and '.join(kinds) or 'nothing to watch'}",
            "give it metric, sql or slo",
        )
        return
    yield from _no_numbers(table)
    yield from _wrong_times(table)
    yield from (_wrong_slo if kinds == ["slo"] else _wrong_limit)(table)
    if "function" in table and not NAME.fullmatch(table["function"]):
        yield "function", f"the function's name {table['function']!r} is not allowed", NAME_HINT
    if "webhook" in table:
        for message, hint in destination_problems({"webhook": table["webhook"]}):
            yield "webhook", message, hint
        if "webhook_env" in table:
            yield "webhook_env", "webhook and webhook_env both name a URL", "keep one of them"


def _no_numbers(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key, value in table.items():
        if isinstance(value, float) and not math.isfinite(value):  # nothing is above nan, or infinity
            yield key, f"{key} is {value}, which is no number to compare with", "write a number, as in 0.05"


def _wrong_times(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key, (low, high) in (("every", _EVERY_S), ("over", _OVER_S), ("for", _FOR_S), ("period", _PERIOD_S)):
        if key in table:
            found = duration_s(table[key])
            if found is None:
                yield key, f"{table[key]!r} is not a duration", DURATION_HINT
            elif not low <= found <= high:
                yield key, f"{table[key]} is out of range", f"at least {low} s, at most {high // 86_400}d"


def _wrong_limit(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "above" not in table and "below" not in table:
        yield "above", "the alert has no limit", "give it above or below"
    elif "above" in table and "below" in table and table["above"] < table["below"]:
        above, below = table["above"], table["below"]
        yield (
            "below",
            f"every value is above {shown_number(above, 6)} or below {shown_number(below, 6)}:"
            " the alert would never be ok",
            "it is wrong above `above`, and wrong below `below`: below must not be larger",
        )
    metric = table.get("metric", "")
    kind = "sql" if "sql" in table else "own" if metric.startswith(_OWN) else "metric"
    yield from _out_of_place(kind, table)
    if len(table.get("sql", "")) > _SQL_CHARS:
        yield "sql", f"the query has {len(table['sql']):,} characters", f"at most {_SQL_CHARS:,}"
    elif "sql" in table:
        try:
            check_query(table["sql"], read_only=True)
        except QueryError as error:
            yield "sql", f"sql: {error.message}", error.hint or "write a query that reads, as in SELECT"
    if kind == "metric" and metric not in FUNCTION_METRICS:
        yield "metric", f"there is no metric {metric!r}", f"one of {', '.join(FUNCTION_METRICS)}, or relive.*"


def _wrong_slo(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "objective" not in table:
        yield "objective", "the slo has no objective", "write objective = 0.999"
    if (table["slo"] == "latency") != ("under_ms" in table):
        yield "under_ms", 'under_ms goes with slo = "latency"', "write how long a good attempt may take"
    yield from _out_of_place("slo", table)


_OF_FUNCTIONS: Final = ("function", "over", "min_attempts")
_OF_SLO: Final = ("objective", "under_ms", "period")
_OUT_OF_PLACE: Final = {
    "metric": ("a metric of functions", (*_OF_SLO, "attributes")),
    "own": ("a metric of the platform", (*_OF_SLO, *_OF_FUNCTIONS)),
    "sql": ("a query", (*_OF_SLO, *_OF_FUNCTIONS, "attributes")),
    "slo": ("an slo, whose burn rates are watched,", ("above", "below", "over", "attributes")),
}


def _out_of_place(kind: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    what, keys = _OUT_OF_PLACE[kind]
    for key in keys:
        if key in table:
            yield key, f"{what} has no {key}", "take it out"
