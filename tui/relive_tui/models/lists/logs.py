"""Log lines: how one is shown, and a tail that does not fight its reader."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from relive_views.records import LogRow

from relive_tui.models.layout.format import clock_ms, duration, short_id
from relive_tui.models.layout.text import Line, clean, clean_title, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from relive_views.scenes.model import CallView

__all__ = [
    "LogPanelRows",
    "LogTail",
    "call_row",
    "folded_lines",
    "invocation_text",
    "log_line",
    "logs_around",
    "severity_look",
]

MAX_LINES = 20_000
MAX_FOLDED = 500
"""Lines below a line that can be unfolded."""
WITH_LEVEL = 48
"""From so many cells on a panel's lines say their level in words."""
WITH_INVOCATION = 100
"""From so many cells on each line has its invocation and attempt."""
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


def log_line(
    row: LogRow, *, with_function: bool = True, with_invocation: bool = False, with_level: bool = True
) -> Line:
    """`12:04:11.204 ✖ ERROR checkout  01a22840-0587#2  sku missing`; of several lines the first one. Without
    its level a line has the level's sign and colour still."""
    sign, style = severity_look(row.severity)
    level = fit(clean(row.severity.upper())[:5], 5) + " " if with_level else ""
    line: Line = [(clock_ms(row.timestamp_ns), "dim"), (f" {sign} {level}", style)]
    if with_function:
        line.append((fit(clean(row.function), 12) + " ", "name"))
    if with_invocation:
        line.append((fit(invocation_text(row), 16) + " ", "dim"))
    line.append((clean_title(row.body), style if style in ("error", "warn") else ""))
    return line


class LogPanelRows:
    """Log lines, and lines between them, in a panel beside something else: where it is narrow, the room is
    for what was said."""

    def __init__(self, entries: Sequence[LogRow | Line]) -> None:
        self.entries = list(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        entry = self.entries[index]
        if isinstance(entry, list):
            return entry
        return log_line(entry, with_function=False, with_level=width >= WITH_LEVEL)


def invocation_text(row: LogRow) -> str:
    """`01a22840-0587`, and `#2` of a later attempt."""
    later = f"#{row.attempt}" if row.attempt > 1 else ""
    return clean(short_id(row.invocation_id)) + later if row.invocation_id else ""


def folded_lines(row: LogRow) -> list[str]:
    """What a line has below its first one: the rest of its text, and the traceback."""
    rest = row.body.rstrip("\n").split("\n")[1:] if "\n" in row.body else []
    if row.traceback:
        rest += row.traceback.rstrip("\n").split("\n")
    return rest[:MAX_FOLDED]


def call_row(call: CallView) -> LogRow:
    """`⇢ CALL GET https://example.org/a  200  38.6ms`, among the log lines."""
    facts = [str(call.status)] if call.status else [call.answer] if call.answer else []
    facts += [call.error] if call.error else [] if facts else ["no answer"]
    facts += [duration(call.took_ns)] if call.took_ns else []
    body = "  ".join([call.what, *facts])
    return LogRow(
        timestamp_ns=call.started_ns, severity=FAILED_CALL if call.failed else CALL, body=body, source="call"
    )


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
    moves up it stays where it is, however much arrives, and `unseen` counts what came since. A line with
    a traceback is one row until it is opened."""

    def __init__(self, limit: int = MAX_LINES) -> None:
        self.rows: deque[LogRow] = deque(maxlen=limit)
        self.following = True
        self.unseen = 0
        self.with_function = True
        self.opened: set[Key] = set()
        self._keys: set[Key] = set()
        self._entries: list[tuple[int, int]] | None = None  # (row, line below it or 0), if any is open

    def __len__(self) -> int:
        return len(self.rows) if self._entries is None else len(self._entries)

    @property
    def newest_ns(self) -> int:
        """Time of the last line; 0 without one."""
        return self.rows[-1].timestamp_ns if self.rows else 0

    def clear(self) -> None:
        """Start again, following."""
        self.rows.clear()
        self._keys.clear()
        self.opened.clear()
        self._entries = None
        self.following, self.unseen = True, 0

    def add(self, rows: Iterable[LogRow]) -> tuple[int, int]:
        """Append what is new (a line that is here already is not). Returns (appended, fell off the top), in
        rows that are shown."""
        appended = fell = 0
        for row in rows:
            key = _key(row)
            if key in self._keys:
                continue
            if len(self.rows) == self.rows.maxlen:
                fell += self._forget(self.rows[0])
            self.rows.append(row)
            self._keys.add(key)
            appended += 1
        if not self.following:
            self.unseen += appended
        self._unfold()
        return appended, fell

    def _forget(self, row: LogRow) -> int:
        key = _key(row)
        self._keys.discard(key)
        if key not in self.opened:
            return 1
        self.opened.discard(key)
        return 1 + len(folded_lines(row))

    def moved(self, cursor: int) -> None:
        """The reader moved the cursor: following is on exactly when it is on the last line."""
        self.following = cursor >= len(self) - 1
        if self.following:
            self.unseen = 0

    def entry(self, index: int) -> tuple[LogRow, int]:
        """(the line, 0) or (the line, number of the one below it) of a row that is shown."""
        number, below = (index, 0) if self._entries is None else self._entries[index]
        return self.rows[number], below

    def set_open(self, index: int, wanted: bool) -> int:
        """Show (or fold) what is below a line; gives the line's own row, or -1 if that changes nothing."""
        row, below = self.entry(index)
        key = _key(row)
        if (key in self.opened) is wanted or not folded_lines(row):
            return -1
        (self.opened.add if wanted else self.opened.discard)(key)
        self._unfold()
        return index - below

    def _unfold(self) -> None:
        if not self.opened:
            self._entries = None
            return
        self._entries = []
        for number, row in enumerate(self.rows):
            self._entries.append((number, 0))
            if _key(row) in self.opened:
                self._entries += [(number, below) for below in range(1, len(folded_lines(row)) + 1)]

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        row, below = self.entry(index)
        mark = ("▸ " if selected else "  ", "accent")
        if below:
            return [mark, (" " * 13 + "│ ", "dim"), (clean(folded_lines(row)[below - 1]), "dim")]
        shown = log_line(row, with_function=self.with_function, with_invocation=width >= WITH_INVOCATION)
        if not folded_lines(row):
            return [mark, *shown]
        fold = "▾ " if _key(row) in self.opened else "▹ "
        return [mark, *shown[:-1], (fold, "accent"), shown[-1]]


Key = tuple[int, str, str]


def _key(row: LogRow) -> Key:
    return row.timestamp_ns, row.span_id, row.body
