"""The server's own figures: what `relive status` says, as metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from relive_platform.metrics.families import COUNTER, GAUGE, Attributes, Family, NumberPoint, attributes

__all__ = ["gauges_of", "resident_bytes"]

MAX_SOURCES: Final = 500
"""Triggers that pull, and buckets, of which each is a series."""
_NAME_CHARS: Final = 120
_SAMPLE: Final = "sample"  # the stage that leaves spans out on purpose


def resident_bytes(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Memory of a process; None if it is gone or cannot be read."""
    try:
        text = (proc / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


def gauges_of(status: Mapping[str, Any], memory: Mapping[str, int | None] = {}) -> list[Family]:
    """Of the object that `relive status --json` prints. `memory`: bytes by the name of the process. What the
    status does not know is left out."""
    return [family for family in _families(status, memory) if family.numbers]


def _families(status: Mapping[str, Any], memory: Mapping[str, int | None]) -> Iterator[Family]:
    store, queue = _part(status, "store"), _part(status, "queue")
    stages = _part(status, "signals")
    collector, otlp, scenes = (_part(status, name) for name in ("collector", "otlp", "scenes"))
    yield _gauge(
        "relive.workers", "1", "Workers by state.",
        ((attributes(state=state), value) for state, value in _part(status, "workers").items()),
    )  # fmt: skip
    yield _one("relive.zygotes", GAUGE, "1", "Processes that workers are forked from.", status.get("zygotes"))
    yield _one("relive.functions", GAUGE, "1", "Functions in service.", status.get("functions"))
    yield _one(
        "relive.connections", GAUGE, "1", "Open connections of the gateway.", status.get("connections")
    )
    if "error" not in queue:
        yield _gauge(
            "relive.queue.events", "1", "Asynchronous events by state.",
            ((attributes(state=state), queue.get(state)) for state in ("ready", "leased", "dead")),
        )  # fmt: skip
        yield _one(
            "relive.queue.age", GAUGE, "s", "How long the oldest due event has waited.", queue.get("age_s")
        )
    yield _one(
        "relive.store.up", GAUGE, "1", "1 if the store can be used.", int(store.get("state") == "ready")
    )
    yield _one("relive.store.lag", GAUGE, "s", "How far the store is behind.", store.get("lag_s"))
    yield _gauge(
        "relive.store.waiting", "1", "Rows that the store has not got yet.",
        ((attributes(where=name), store.get(f"{name}_rows")) for name in ("buffered", "spooled")),
    )  # fmt: skip
    yield _one("relive.store.rows", COUNTER, "1", "Rows written.", store.get("written_rows"))
    yield _one("relive.store.dropped", COUNTER, "1", "Rows dropped by limits.", store.get("dropped_rows"))
    yield _one(
        "relive.store.restarts", COUNTER, "1", "Starts of the store after its end.", store.get("restarts")
    )
    yield _one(
        "relive.collector.pending", GAUGE, "By", "What the collector's process has not got yet.",
        collector.get("pending_bytes"),
    )  # fmt: skip
    yield _one(
        "relive.collector.restarts", COUNTER, "1", "Starts of the collector's process after its end.",
        collector.get("restarts"),
    )  # fmt: skip
    yield _family(
        "relive.signals.dropped", COUNTER, "1", "Telemetry that a stage has dropped.",
        ((attributes(stage=name), one.get("dropped")) for name, one in stages.items() if name != _SAMPLE),
    )  # fmt: skip
    yield _one(
        "relive.signals.left_out", COUNTER, "1", "Spans that span_share leaves out, on purpose.",
        stages.get(_SAMPLE, {}).get("dropped"),
    )  # fmt: skip
    yield _one("relive.scenes.written", COUNTER, "1", "Scenes written.", scenes.get("written"))
    yield _one("relive.scenes.dropped", COUNTER, "1", "Scenes dropped by limits.", scenes.get("dropped"))
    yield _family(
        "relive.otlp.exported", COUNTER, "1", "Spans and log lines for OTLP, by what became of them.",
        ((attributes(outcome=name), otlp.get(name)) for name in ("sent", "failed", "dropped")),
    )  # fmt: skip
    yield _one(
        "relive.otlp.queued", GAUGE, "1", "Spans and log lines that wait for export.", otlp.get("queued")
    )
    sources = status.get("sources") or ()
    yield _gauge("relive.source.lag", "1", "How far a trigger is behind its source.", _behind(sources))
    yield _gauge("relive.source.running", "1", "1 if a trigger reads its source.", _running(sources))
    yield _gauge(
        "relive.resource.size", "1", "What resources hold.", _resources(status.get("resources") or ())
    )
    yield _gauge(
        "process.memory.usage", "By", "Memory of the platform's own processes.",
        ((attributes(process=name), value) for name, value in memory.items()),
    )  # fmt: skip


def _behind(sources: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Attributes, object]]:
    for one in list(sources)[:MAX_SOURCES]:
        unit = str(one.get("unit", ""))
        yield (*_source(one), ("unit", unit)), one.get("behind")


def _running(sources: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Attributes, object]]:
    for one in list(sources)[:MAX_SOURCES]:
        yield _source(one), int(one.get("state") == "running")


def _source(one: Mapping[str, Any]) -> Attributes:
    names = {name: str(one.get(name, ""))[:_NAME_CHARS] for name in ("kind", "name")}
    return attributes(faas__name=str(one.get("function", "")), **names)


def _resources(resources: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Attributes, object]]:
    for one in list(resources)[:MAX_SOURCES]:
        for figure, value in one.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                kind, name = str(one.get("type", "")), str(one.get("name", ""))
                yield attributes(type=kind, name=name, figure=figure), value


def _gauge(name: str, unit: str, doc: str, points: Iterable[tuple[Attributes, object]]) -> Family:
    return _family(name, GAUGE, unit, doc, points)


def _one(name: str, kind: str, unit: str, doc: str, value: object) -> Family:
    return _family(name, kind, unit, doc, [((), value)])


def _family(name: str, kind: str, unit: str, doc: str, points: Iterable[tuple[Attributes, object]]) -> Family:
    """Of several points with the same attributes the first one counts: a series has one value."""
    found: dict[Attributes, float] = {}
    for pairs, value in points:
        if isinstance(value, int | float):
            found.setdefault(pairs, float(value))
    return Family(
        name, kind, unit, doc, numbers=[NumberPoint(pairs, value) for pairs, value in found.items()]
    )


def _part(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = status.get(name)
    return part if isinstance(part, Mapping) else {}
