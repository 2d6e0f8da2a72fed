"""Log lines: how one is shown, and a tail that does not fight its reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from relive_tui.models.data import CallView, LogRow
from relive_tui.models.format import clock_ms, duration
from relive_tui.models.text import Line, clean, fit

__all__ = ["LogTail", "call_row", "log_line", "logs_around", "severity_look"]

MAX_LINES = 20_000
CALL, FAILED_CALL = "CALL", "CALL✖"
"""Severities of the lines that stand for calls the function made."""
_LOOKS = {
    "ERROR": ("✖", "error"), "FATAL": ("✖", "error"), "WARN": ("!", "warn"), "DEBUG": ("·", "dim"),
    CALL: ("⇢", "key"), FAILED_CALL: ("⇢", "error"),
}  # fmt: skip
LEAST_BEFORE = 12
"""Lines before a failure that are shown however long before it they were written."""


def severity_look(severity: str) -> tuple[str, str]:
    """Sign and style of a severity."""
    name = severity.upper()
    return _LOOKS.get("WARN" if name == "WARNING" else name, (" ", ""))


def log_line(row: LogRow, *, with_function: bool = True) -> Line:
    """`12:04:11.204 ✖ ERROR checkout  sku missing`."""
    sign, style = severity_look(row.severity)
    line: Line = [
        (clock_ms(row.timestamp_ns), "dim"),
        (f" {sign} {fit(clean(row.severity.upper())[:5], 5)} ", style),
    ]
    if with_function:
        line.append((fit(clean(row.function), 12) + " ", "name"))
    line.append((clean(row.body), style if style in ("error", "warn") else ""))
    return line


def call_row(call: CallView) -> LogRow:
    """`⇢ CALL GET https://example.org/a  200  38.6ms`, among the log lines."""
    facts = [str(call.status or "")] if call.status else []
    facts += [call.error] if call.error else [] if call.status else ["no answer"]
    facts += [duration(call.took_ns)] if call.took_ns else []
    body = "  ".join([call.what, *facts])
    return LogRow(call.started_ns, FAILED_CALL if call.failed else CALL, body, source="call")


def logs_around(
    sources: Iterable[Iterable[LogRow]], at_ns: int, window_ns: int, least: int = LEAST_BEFORE
) -> tuple[list[LogRow], int, int]:
    """(the lines within `window_ns` of a moment, and if fewer than `least` of them came before it the last
    ones before, each once, oldest first; how many were earlier; how many of them were written up to the
    moment). Without a moment (0): all lines."""
    seen: set[tuple[int, str]] = set()
    rows: list[LogRow] = []
    before: list[LogRow] = []  # the window
    for row in sorted((row for source in sources for row in source), key=lambda row: row.timestamp_ns):
        key = (row.timestamp_ns, row.body)
        if key in seen:
            continue
        seen.add(key)
        if not at_ns or abs(row.timestamp_ns - at_ns) <= window_ns:
            rows.append(row)
        elif row.timestamp_ns < at_ns:
            before.append(row)
    until = sum(row.timestamp_ns <= at_ns for row in rows) if at_ns else len(rows)
    filled = before[-(least - until) :] if until < least else []
    return filled + rows, len(before) - len(filled), len(filled) + until


class LogTail:
    """The last lines, oldest first. While `following` the cursor stays on the newest line; once the reader
    moves up it stays where it is, however much arrives, and `unseen` counts what came since."""

    def __init__(self, limit: int = MAX_LINES) -> None:
        self.rows: deque[LogRow] = deque(maxlen=limit)
        self.following = True
        self.unseen = 0
        self.with_function = True
        self._keys: set[tuple[int, str, str]] = set()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def newest_ns(self) -> int:
        """Time of the last line; 0 without one."""
        return self.rows[-1].timestamp_ns if self.rows else 0

    def clear(self) -> None:
        """Start again, following."""
        self.rows.clear()
        self._keys.clear()
        self.following, self.unseen = True, 0

    def add(self, rows: Iterable[LogRow]) -> tuple[int, int]:
        """Append what is new (a line that is here already is not). Returns (appended, fell off the top)."""
        appended = fell = 0
        for row in rows:
            key = (row.timestamp_ns, row.span_id, row.body)
            if key in self._keys:
                continue
            if len(self.rows) == self.rows.maxlen:
                oldest = self.rows[0]
                self._keys.discard((oldest.timestamp_ns, oldest.span_id, oldest.body))
                fell += 1
            self.rows.append(row)
            self._keys.add(key)
            appended += 1
        if not self.following:
            self.unseen += appended
        return appended, fell

    def moved(self, cursor: int) -> None:
        """The reader moved the cursor: following is on exactly when it is on the last line."""
        self.following = cursor >= len(self.rows) - 1
        if self.following:
            self.unseen = 0

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        shown = log_line(self.rows[index], with_function=self.with_function)
        return [("▸ " if selected else "  ", "accent"), *shown]
