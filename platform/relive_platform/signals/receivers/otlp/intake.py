"""One request of OTLP after the other, from whichever way it came: room, conversion, the writer."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from relive_store import Mark

from relive_platform.signals.receivers.otlp.decoding import Refused, answer_of, read
from relive_platform.signals.receivers.otlp.ledger import Ledger
from relive_platform.signals.receivers.otlp.requests import Converted, Converter
from relive_platform.signals.signal import Columns

__all__ = ["RUN", "Intake", "IntakeCounts"]

RUN: Final = 1
"""Under which the spool knows how far this has come: it has this one source."""
BUFFER_ROWS: Final = 100_000
SPOOL_FULL: Final = 0.9
RETRY_S: Final = 2.0
FULL_RETRY_S: Final = 15.0
_COUNTED_AS: Final = {400: "malformed", 413: "too_large"}
"""Requests that are refused before they are read, by their HTTP status."""
_log = logging.getLogger(__name__)


class Room(Protocol):
    """What the writer says of itself."""

    @property
    def buffered_rows(self) -> int: ...

    @property
    def spooled_bytes(self) -> int: ...


class RowWriter(Protocol):
    """Takes rows (relive_store.Writer)."""

    def add_all(self, tables: list[tuple[str, Columns]], mark: Mark | None = None) -> None: ...

    def stats(self) -> Room: ...


@dataclass(slots=True)
class IntakeCounts:
    """Since the process began. `taken`: records by signal; `refused`: records by why; `held_back`: requests
    that were told to come again; `too_large`: requests that are, or whose rows would be; `turned_away`: those
    with no token, from a web page, to another path, or in a form that is not known."""

    taken: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    malformed: int = 0
    held_back: int = 0
    too_large: int = 0
    turned_away: int = 0


class Intake:
    """Thread-safe: conversion is the work of one at a time, as it is pure Python."""

    def __init__(
        self, converter: Converter, writer: RowWriter, spool_bytes: int, ledger: Ledger | None = None
    ) -> None:
        self.counts = IntakeCounts()
        self._counting = threading.Lock()  # held for a moment: the other one may be held for long
        self._ledger = ledger
        self._writer = writer
        self._spool_bytes = spool_bytes
        self._lock = threading.Lock()
        self._convert: Mapping[str, Callable[[Any], Converted]] = {
            "traces": converter.traces,
            "logs": converter.logs,
            "metrics": converter.metrics,
        }

    @contextmanager
    def at_the_door(self) -> Iterator[None]:
        """Around what is done before `take`: a request that is refused there is counted, too."""
        try:
            yield
        except Refused as refused:
            self._count("requests", _COUNTED_AS.get(refused.status, "turned_away"))
            raise

    def _count(self, *names: str) -> None:
        with self._counting:
            for name in names:
                setattr(self.counts, name, getattr(self.counts, name) + 1)

    def take(self, signal: str, body: bytes, content_type: str) -> Any:
        """A request; its response message. Raises Refused."""
        with self._lock:
            self._count("requests")
            self._check_room()
            try:
                request = read(signal, body, content_type)
            except Refused:
                self._count("malformed")
                raise
            try:
                done = self._convert[signal](request)
            except Refused:
                self._count("too_large")
                raise
            if done.tables:
                ledger = self._ledger
                number = ledger.add(signal, content_type, body) if ledger is not None else 0
                self._writer.add_all(done.tables, Mark(RUN, rows=number) if number else None)
            self.counts.taken[signal] += done.taken
            self.counts.refused += done.refused
            return answer_of(signal, done.refused.total(), done.message)

    def take_up(self) -> int:
        """What a process before has accepted and was killed before it was spooled; how many requests."""
        count = 0
        for entry in self._ledger.left() if self._ledger is not None else ():
            try:
                done = self._convert[entry.signal](read(entry.signal, entry.body, entry.content_type))
            except (Refused, KeyError) as error:  # not of a process of ours with the limits of now
                _log.warning("a request of %s that was accepted is left out: %s", entry.signal[:20], error)
                continue
            self._writer.add_all(done.tables, Mark(RUN, rows=entry.number))
            count += 1
        return count

    def _check_room(self) -> None:
        """What was accepted is never dropped: the sender keeps what there is no room for. Raises Refused."""
        room = self._writer.stats()
        if room.spooled_bytes > self._spool_bytes * SPOOL_FULL:
            self._hold_back("the spool is full: the store does not take rows", FULL_RETRY_S)
        if room.buffered_rows > BUFFER_ROWS:
            self._hold_back(f"over {BUFFER_ROWS} rows wait to be written", RETRY_S)

    def _hold_back(self, why: str, retry_s: float) -> None:
        self.counts.held_back += 1
        raise Refused(503, why, retry_s)
