"""Log lines and failures that functions want to hear of go into the outbox, from which the server makes
events.

The outbox is written before the spool: a batch that is not spooled comes again, under the same number.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from relive_store import Mark

from relive_platform.signals.exporters.store import RowWriter
from relive_platform.signals.signal import Columns, Counts, Rows
from relive_platform.subscriptions.filters import Filter
from relive_platform.subscriptions.outbox import Entry, Outbox
from relive_platform.subscriptions.rules import Rule, Rules

__all__ = ["FailureGroups", "SubscribedWriter", "Subscriptions"]

_log = logging.getLogger(__name__)
_LOOK_NS: Final = 250_000_000
_GROUPS: Final = 100_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS failure_groups (
    function TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    invocation TEXT NOT NULL,      -- of the first failure
    PRIMARY KEY (function, fingerprint)
) WITHOUT ROWID;
"""
_FIRST: Final = "SELECT invocation FROM failure_groups WHERE function = ? AND fingerprint = ?"
_ADD: Final = "INSERT OR IGNORE INTO failure_groups VALUES (?, ?, ?)"
_COUNT: Final = "SELECT count(*) FROM failure_groups"


class FailureGroups:
    """Which failure was the first of its group in this home."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)
        [(self._count,)] = self._db.execute(_COUNT)

    def is_first(self, function: str, fingerprint: str, invocation: str) -> bool:
        """Asked again of the same failure, the answer is the same. Raises sqlite3.Error."""
        key = function, fingerprint
        row = self._db.execute(_FIRST, key).fetchone()
        if row is None and self._count < _GROUPS:  # of more, none is called new
            self._db.execute(_ADD, (*key, invocation))
            self._count += 1
            return True
        return row is not None and row[0] == invocation


class Subscriptions:
    """An exporter of the pipeline. `folder`: the outbox; `limit_bytes`: what may wait in it."""

    def __init__(self, folder: Path, limit_bytes: int, groups: FailureGroups | None = None) -> None:
        self.counts = Counts()
        self._outbox = Outbox(folder)
        with contextlib.suppress(OSError):
            self._outbox.open()
        self._rules = Rules(folder.with_suffix(".json"))
        self._limit_bytes = limit_bytes
        self._groups = groups
        self._waiting = 0
        self._looked_ns = 0
        self._unnumbered = 0

    def export(self, rows: Sequence[Rows], mark: Mark | None = None) -> None:
        """Take what one batch became."""
        try:
            self._export([(one.table, one.columns) for one in rows], mark)
        except Exception:  # it must not cost the store its rows
            self.counts.dropped += 1
            _log.exception("records that functions want to hear of were lost")

    def tell_scenes(self, tables: Sequence[tuple[str, Columns]], mark: Mark | None = None) -> None:
        """The same of tables as the writer takes them."""
        self.export([Rows(table, columns) for table, columns in tables], mark)

    def _export(self, tables: Sequence[tuple[str, Columns]], mark: Mark | None) -> None:
        rules = self._rules.current()
        entries: list[Entry] = []
        for table, columns in tables:
            if table == "otel_logs" and any(rule.kind == "logs" for rule, _ in rules):
                entries += _lines(columns, [pair for pair in rules if pair[0].kind == "logs"])
            elif table == "failure_scenes":
                entries += self._failures(columns, [rule for rule, _ in rules if rule.kind == "failures"])
        if entries:
            self._write(entries, mark)

    def _write(self, entries: list[Entry], mark: Mark | None) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._looked_ns > _LOOK_NS:
            self._waiting, self._looked_ns = self._outbox.size_bytes(), now_ns
        if self._waiting > self._limit_bytes:
            if not self.counts.dropped:
                _log.error(
                    "the outbox of subscriptions is full: records are dropped, and counted in `signals`"
                )
            self.counts.dropped += len(entries)
            return
        self._waiting += self._outbox.write(self._number(mark), entries)
        self.counts.taken += len(entries)

    def _number(self, mark: Mark | None) -> str:
        if mark is None or not mark.run:
            self._unnumbered += 1
            return f"{time.time_ns():016x}-{self._unnumbered:016x}-0"
        kind = "r" if mark.rows else "s"
        return f"{mark.run:016x}-{mark.rows or mark.scenes:016x}-{kind}"

    def _failures(self, columns: Columns, rules: list[Rule]) -> list[Entry]:
        found = []
        for place, invocation in enumerate(columns["InvocationId"]):
            row = {name: values[place] for name, values in columns.items()}
            first = self._groups is not None and self._groups.is_first(
                str(row["Function"]), str(row["Fingerprint"]), f"{invocation}/{row['Attempt']}"
            )
            found += [
                _failure(rule, row, place, first)
                for rule in rules
                if (first or rule.every) and rule.of.hears(rule.function, str(row["Function"]))
            ]
        return found


def _lines(columns: Columns, rules: list[tuple[Rule, Filter]]) -> list[Entry]:
    found = []
    names, bodies, numbers = columns["ServiceName"], columns["Body"], columns["SeverityNumber"]
    for place, (name, body, number) in enumerate(zip(names, bodies, numbers, strict=True)):
        for rule, fits in rules:
            if (
                int(str(number)) >= rule.severity
                and rule.of.hears(rule.function, str(name))
                and fits(str(body))
            ):
                found.append(_line(rule, columns, place))
    return found


def _line(rule: Rule, columns: Columns, place: int) -> Entry:
    attributes: Any = columns["LogAttributes"][place]
    resource: Any = columns["ResourceAttributes"][place]
    return Entry(
        rule=rule.ident,
        function=str(columns["ServiceName"][place]),
        version=_whole(resource.get("faas.version", "0")),
        instance=str(resource.get("service.instance.id", "")),
        place=place,
        timestamp_ns=_whole(columns["Timestamp"][place]),
        severity=str(columns["SeverityText"][place]),
        body=str(columns["Body"][place]),
        trace_id=str(columns["TraceId"][place]),
        span_id=str(columns["SpanId"][place]),
        invocation_id=str(attributes.get("faas.invocation_id", "")),
    )


def _failure(rule: Rule, row: Mapping[str, Any], place: int, first: bool) -> Entry:
    return Entry(
        rule=rule.ident,
        function=str(row["Function"]),
        version=_whole(row["Version"]),
        instance="",
        place=place,
        timestamp_ns=_whole(row["CapturedAt"]),
        body=str(row["Message"]),
        trace_id=str(row["TraceId"]),
        span_id=str(row["SpanId"]),
        invocation_id=str(row["InvocationId"]),
        more={
            "attempt": _whole(row["Attempt"]),
            "app": str(row["App"]),
            "kind": str(row["Kind"]),
            "type": str(row["ErrorType"]),
            "fingerprint": str(row["Fingerprint"]),
            "file": str(row["File"]),
            "line": _whole(row["Line"]),
            "in": str(row["ErrorFunction"]),
            "first": int(first),
        },
    )


def _whole(value: object) -> int:
    text = str(value)
    return int(text) if text.lstrip("-").isdigit() else 0


class SubscribedWriter:
    """A writer whose rows are looked at on their way."""

    def __init__(self, writer: RowWriter, subscriptions: Subscriptions) -> None:
        self._writer = writer
        self._subscriptions = subscriptions

    def add_all(self, tables: Sequence[tuple[str, Columns]], mark: Mark | None = None) -> None:
        """To the outbox first."""
        self._subscriptions.tell_scenes(tables, mark)
        self._writer.add_all(tables, mark)
