"""Metrics as Prometheus reads them: its text format, and OpenMetrics, which has exemplars and units, too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from relive_platform.metrics.families import COUNTER, Attributes, Exemplar, Family, HistogramPoint

__all__ = ["OPENMETRICS", "PROMETHEUS", "exposition", "wants_openmetrics"]

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_UNITS: Final = {"s": "seconds", "By": "bytes"}
_ODD: Final = re.compile(r"[^a-zA-Z0-9_]")
_LABEL_CHARS: Final = 256
_EXEMPLAR_CHARS: Final = 128  # OpenMetrics: of names and values together


def wants_openmetrics(accept: str) -> bool:
    """Whether an `Accept` header names OpenMetrics, as Prometheus does since 2.5, and does not refuse it."""
    for part in accept.split(","):
        media, *parameters = (text.strip() for text in part.split(";"))
        if media.lower() == "application/openmetrics-text":
            return not any(text.replace(" ", "").lower() in ("q=0", "q=0.0") for text in parameters)
    return False


def exposition(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """All of them as text. A family without points is left out."""
    lines = [
        line
        for family in families
        if family.numbers or family.histograms
        for line in _family(family, openmetrics)
    ]
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _family(family: Family, openmetrics: bool) -> Iterator[str]:
    unit = _UNITS.get(family.unit, "")
    name = _ODD.sub("_", family.name)
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    total = f"{name}_total" if family.kind == COUNTER else name
    head = name if openmetrics else total
    yield f"# HELP {head} {_escaped(family.doc)}"
    yield f"# TYPE {head} {family.kind}"
    if openmetrics and unit:
        yield f"# UNIT {head} {unit}"
    for point in family.numbers:
        yield f"{total}{_labels(point.attributes)} {_number(point.value)}"
    for histogram in family.histograms:
        yield from _histogram(name, histogram, openmetrics)


def _histogram(name: str, point: HistogramPoint, openmetrics: bool) -> Iterator[str]:
    below = 0
    exemplars = point.exemplars or [None] * len(point.counts)
    bounds = [*map(_number, point.bounds), "+Inf"]
    for bound, count, exemplar in zip(bounds, point.counts, exemplars, strict=True):
        below += count
        tail = _exemplar(exemplar) if openmetrics and exemplar is not None else ""
        yield f"{name}_bucket{_labels((*point.attributes, ('le', bound)))} {below}{tail}"
    yield f"{name}_count{_labels(point.attributes)} {below}"
    yield f"{name}_sum{_labels(point.attributes)} {_number(point.total)}"


def _exemplar(exemplar: Exemplar) -> str:
    trace_id = _escaped(exemplar.trace_id[: _EXEMPLAR_CHARS - len("trace_id")], quotes=True)
    moment_s = exemplar.time_ns / 1e9
    return f' # {{trace_id="{trace_id}"}} {_number(exemplar.value)} {moment_s:.3f}'


def _labels(attributes: Attributes) -> str:
    if not attributes:
        return ""
    pairs = (
        f'{_ODD.sub("_", name)}="{_escaped(value[:_LABEL_CHARS], quotes=True)}"' for name, value in attributes
    )
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    """A lone surrogate, which no UTF-8 has, is replaced."""
    text = text.encode("utf-8", "replace").decode()
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r" if quotes else " ")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
