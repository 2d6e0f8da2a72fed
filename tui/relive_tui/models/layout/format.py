"""Numbers, sizes and times as people read them, in few cells."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

__all__ = [
    "SPARKS", "age", "bytes_short", "clock", "clock_ms", "count_short", "day_clock", "duration",
    "millis", "percent", "range_label", "rate", "short_id", "sparkline", "trend",
]  # fmt: skip

SPARKS = "▁▂▃▄▅▆▇█"
"""Bars, the lowest first."""
_NS = 1_000_000_000


def duration(ns: float) -> str:
    """`850ns`, `12µs`, `8.31ms`, `2.40s`, `3m05s`, `2h10m`."""
    if ns < 0:
        return "-" + duration(-ns)
    if ns < 1_000:
        return f"{ns:.0f}ns"
    if ns < 999_500:
        return f"{ns / 1e3:.0f}µs"
    if ns < 999_500_000:
        millis = ns / 1e6
        return f"{millis:.2f}ms" if millis < 10 else f"{millis:.1f}ms" if millis < 100 else f"{millis:.0f}ms"
    seconds = ns / 1e9
    if seconds < 60:
        return f"{seconds:.2f}s" if seconds < 10 else f"{seconds:.1f}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m{int(seconds % 60):02d}s"
    return f"{int(seconds // 3600)}h{int(seconds % 3600 // 60):02d}m"


def age(then_ns: int, now_ns: int) -> str:
    """How long ago, in two or three characters: `now`, `8s`, `5m`, `3h`, `2d`; empty for never."""
    if then_ns <= 0:
        return ""
    seconds = max(now_ns - then_ns, 0) // _NS
    if seconds < 1:
        return "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def clock(ns: int) -> str:
    """Local time of day, `12:04:11`; empty for 0."""
    return time.strftime("%H:%M:%S", time.localtime(ns // _NS)) if ns > 0 else ""


def day_clock(ns: int, now_ns: int) -> str:
    """Local time of day; of another day than now's with the day and without seconds: `Nov 29 23:10`."""
    then, now = (time.localtime(each // _NS) for each in (ns, now_ns))
    if ns <= 0 or (then.tm_year, then.tm_yday) == (now.tm_year, now.tm_yday):
        return clock(ns)
    return time.strftime("%b %d %H:%M", then)


def clock_ms(ns: int) -> str:
    """Local time of day with milliseconds, `12:04:11.204`; empty for 0."""
    return f"{clock(ns)}.{ns // 1_000_000 % 1000:03d}" if ns > 0 else ""


def bytes_short(count: float) -> str:
    """`512B`, `3.1K`, `91M`, `2.4G`."""
    if count < 1024:
        return f"{count:.0f}B"
    for unit in "KMG":
        count /= 1024
        if count < 1000:
            return f"{count:.1f}{unit}" if count < 10 else f"{count:.0f}{unit}"
    return f"{count / 1024:.1f}T"


def count_short(count: int) -> str:
    """`950`, `12.3k`, `1.20M`."""
    if count < 10_000:
        return str(count)
    if count < 999_950:
        return f"{count / 1000:.1f}k"
    return f"{count / 1_000_000:.2f}M"


def rate(per_second: float) -> str:
    """Events a second: `0`, `0.02`, `4.1`, `41`, `1.2k`."""
    if per_second <= 0:
        return "0"
    if per_second < 1:
        return f"{per_second:.2f}"
    if per_second < 10:
        return f"{per_second:.1f}"
    return count_short(round(per_second)) if per_second >= 10_000 else f"{per_second:.0f}"


def percent(part: float, whole: float) -> str:
    """`0`, `0.4`, `3.1`, `62`: without the sign."""
    if whole <= 0 or part <= 0:
        return "0"
    value = 100.0 * part / whole
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def sparkline(values: list[int], width: int) -> str:
    """`values` in `width` bars; neighbours are added up if there are more values than bars."""
    if not values or width <= 0:
        return " " * max(width, 0)
    if len(values) > width:
        step = len(values) / width
        values = [
            sum(values[int(i * step) : max(int((i + 1) * step), int(i * step) + 1)]) for i in range(width)
        ]
    top = max(values)
    if top <= 0:
        return ("▁" * len(values)).rjust(width)
    return "".join(SPARKS[0] if v <= 0 else SPARKS[max(1, round(v * 7 / top))] for v in values).rjust(width)


def trend(values: Sequence[float | None], width: int) -> str:
    """A series in `width` bars, each the highest of its stretch of time: `·` if nothing was measured in it,
    `▁` for zero."""
    if width <= 0:
        return ""
    if len(values) > width:
        edges = [at * len(values) // width for at in range(width + 1)]
        parts = [values[first:last] for first, last in pairwise(edges)]
        values = [max((each for each in part if each is not None), default=None) for part in parts]
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(_bar(value, top) for value in values).rjust(width)


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return "·"
    return SPARKS[max(round(value / top * 7), 1)] if value > 0 and top > 0 else SPARKS[0]


def millis(value: float) -> str:
    """Milliseconds in at most five characters: `0`, `3.1`, `88`, `12s`."""
    if value <= 0:
        return "0"
    if value < 10:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 10_000 else f"{value / 1000:.0f}s"


def short_id(ident: str) -> str:
    """The beginning of an id, long enough to be typed as an abbreviation: 13 of a UUID, 8 of a trace id."""
    return ident[:13] if ident.count("-") == 4 else ident[:8]


def range_label(range_ns: int) -> str:
    """`15m`, `1h`, `7d`, or `all` for 0."""
    if range_ns <= 0:
        return "all"
    seconds = range_ns // _NS
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
