"""Alerts: how they stand, how they have changed, and for how long nobody is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relive_tui.models.layout.columns import Column, Table, room_for
from relive_tui.models.layout.format import age, day_clock
from relive_tui.models.layout.text import Line, Span, clean, clean_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.health.alerts import AlertChangeView, AlertView

__all__ = [
    "AlertRows",
    "ChangeRows",
    "SilenceProblem",
    "Standing",
    "alert_lines",
    "parse_silence",
]

_SIGNS: Final = {
    "firing": ("✖", "error"),
    "pending": ("!", "warn"),
    "no data": ("?", "warn"),
    "ok": ("✔", "ok"),
}
_SILENCE: Final = re.compile(r"(0|\d{1,6}\s*[smhd])(?:\s+(.*))?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert, and its silence: until when nobody is told, and why."""

    alert: AlertView
    silenced_until_ns: int = 0
    silence_reason: str = ""


class SilenceProblem(ValueError):
    """The line says no time; the message says what would."""


def parse_silence(line: str) -> tuple[float, str]:
    """`2h the database moves` as (seconds, reason); 0 seconds end a silence. Raises SilenceProblem."""
    match = _SILENCE.fullmatch(line.strip())
    if match is None:
        raise SilenceProblem("begin with a time: 30m, 2h, 3d; 0 ends a silence")
    length = match[1].replace(" ", "")
    seconds = 0.0 if length == "0" else float(int(length[:-1]) * _UNITS[length[-1]])
    return seconds, (match[2] or "").strip()


def _state(state: str) -> Span:
    sign, style = _SIGNS.get(state, ("?", "warn"))
    return f"{sign} {clean(state)}", style


def _value(value: float | None) -> str:
    return "·" if value is None else f"{value:.4g}"


class AlertRows:
    """Those that fire first."""

    def __init__(self, standings: Sequence[Standing] = (), now_ns: int = 0) -> None:
        self.standings = list(standings)
        self.now_ns = now_ns
        names = room_for((clean(one.alert.name) for one in self.standings), 8, 28)
        silences = room_for((self._silence(one) for one in self.standings), 0, 21)
        self._table = Table(
            (
                Column("STATE", 9, keep=10),
                Column("ALERT", names, keep=10),
                Column("SINCE", 6, "right", keep=8),
                Column("VALUE", 9, "right", keep=7),
                Column("LIMIT", 9, "right", keep=5),
                Column("", silences, keep=9),
                Column("SEVERITY", 8, keep=3),
                Column("REASON", 24, keep=6, grow=1),
            )
        )

    def __len__(self) -> int:
        return len(self.standings)

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        one = self.standings[index]
        alert = one.alert
        said = f"! not looked at: {alert.problem}" if alert.problem else alert.reason
        cells: list[Span] = [
            _state(alert.state),
            (clean(alert.name), "name"),
            (age(alert.since_ns, self.now_ns), "dim"),
            (_value(alert.value), ""),
            (_value(alert.limit), "dim"),
            (self._silence(one), "warn"),
            (clean(alert.severity), ""),
            (clean_title(said), "warn" if alert.problem else ""),
        ]
        return self._table.row(cells, width, selected=selected)

    def _silence(self, one: Standing) -> str:
        if one.silenced_until_ns:
            return f"silent till {day_clock(one.silenced_until_ns, self.now_ns)}"
        return "silenced" if one.alert.silenced else ""


class ChangeRows:
    """The newest change first."""

    def __init__(self, changes: Sequence[AlertChangeView] = (), now_ns: int = 0) -> None:
        self.changes = list(changes)
        self.now_ns = now_ns
        times = room_for((day_clock(one.at_ns, now_ns) for one in self.changes), 8, 12)
        names = room_for((clean(one.alert) for one in self.changes), 8, 28)
        self._table = Table(
            (
                Column("TIME", times, keep=10),
                Column("ALERT", names, keep=9),
                Column("WAS", 9, keep=4),
                Column("BECAME", 9, keep=10),
                Column("VALUE", 9, "right", keep=6),
                Column("", 8 * any(one.silenced for one in self.changes), keep=5),
                Column("REASON", 24, keep=7, grow=1),
            )
        )

    def __len__(self) -> int:
        return len(self.changes)

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        one = self.changes[index]
        cells: list[Span] = [
            (day_clock(one.at_ns, self.now_ns), "dim"),
            (clean(one.alert), "name"),
            (clean(one.before), "dim"),
            _state(one.state),
            (_value(one.value), ""),
            ("silenced" if one.silenced else "", "warn"),
            (clean_title(one.reason), ""),
        ]
        return self._table.row(cells, width, selected=selected)


def alert_lines(one: Standing, now_ns: int) -> list[Line]:
    """Everything on one alert."""
    alert = one.alert
    lasting = f" for {alert.for_s} s" if alert.for_s else ""
    lines: list[Line] = [
        [_state(alert.state), ("  ", ""), (clean(alert.name), "bold"), (f"  {clean(alert.app)}", "dim")],
        [(clean(alert.reason), "")],
        [("wrong if ", "dim"), (clean(alert.condition) + lasting, "")],
    ]
    if alert.description:
        lines.append([(clean(alert.description), "")])
    if alert.problem:
        lines.append([("! the last look failed: ", "warn"), (clean(alert.problem), "warn")])
    if one.silenced_until_ns:
        why = f": {clean(one.silence_reason)}" if one.silence_reason else ""
        told = f"nobody is told till {day_clock(one.silenced_until_ns, now_ns)}{why}"
        lines.append([(told, "warn")])
    looked = f"looked at {age(alert.checked_ns, now_ns)} ago" if alert.checked_ns else "not looked at yet"
    changes = f"{alert.changes} change" + "s" * (alert.changes != 1)
    severity = f" · severity {clean(alert.severity)}" if alert.severity else ""
    lines.append([(f"{looked} · {changes}{severity}", "dim")])
    return lines
