"""Asynchronous events: those that wait, run or died."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from relive_base.errors import ReliveError

from relive_views.ids import UUID_DIGITS, shortest

__all__ = ["ELLIPSIS", "EventView", "event_meant", "event_view", "events_of_home", "short_event_ids"]

_READY: Final = "ready"
_LEASED: Final = "leased"
_TIMEOUT_S: Final = 5.0
ELLIPSIS: Final = "…"
_SHOWN: Final = 20
_HEAD: Final = 7
_TAIL: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """An event. Times are ns since the epoch; 0: it does not apply."""

    event_id: str
    function: str
    state: str
    attempts: int
    next_at: int
    died_at: int
    last_error: str
    enqueued_at: int

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive events --json`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def short_event_ids(idents: Iterable[str]) -> dict[str, str]:
    """Their shortest unique beginnings. An id that its producer has chosen stays whole; of a long one the
    middle is left out, as `event_meant` understands it."""
    wanted = list(idents)
    short = shortest(wanted, ())
    return {ident: short[ident] if _is_uuid(ident) else _middle_out(ident) for ident in wanted}


def event_meant(text: str, idents: Iterable[str]) -> list[str]:
    """Those of `idents` that a shown id with its middle left out may mean."""
    begin, _, end = text.partition(ELLIPSIS)
    return [ident for ident in idents if ident.startswith(begin) and ident.endswith(end)]


def _middle_out(ident: str) -> str:
    return ident if len(ident) <= _SHOWN else f"{ident[:_HEAD]}{ELLIPSIS}{ident[-_TAIL:]}"


def _is_uuid(ident: str) -> bool:
    return len(ident) == 36 and ident.count("-") == 4 and ident[UUID_DIGITS] == "-"


def events_of_home(home: Path, function: str, state: str, limit: int) -> list[EventView]:
    """What the queue's file of a home without a server holds, newest first. Raises ReliveError.

    What ran when the server ended waits for the next one.
    """
    path = home / "events.db"
    if not path.is_file():
        return []
    from relive_platform.triggers.queue.desk import event_row
    from relive_platform.triggers.queue.holdings import STATES
    from relive_platform.triggers.queue.statements import LIST

    if state == _LEASED:
        return []  # nothing runs
    wanted = [STATES.index(name) for name in ((state, _LEASED) if state == _READY else (state,)) if name]
    found: list[EventView] = []
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT_S)) as db:
            for number in wanted or [-1]:
                found += map(
                    event_view, map(event_row, db.execute(LIST, (number, number, function, function, limit)))
                )
    except sqlite3.Error as error:
        raise ReliveError(f"the event queue cannot be read: {error}", where=str(path)) from error
    waiting = [replace(view, state=_READY) if view.state == _LEASED else view for view in found]
    return sorted(waiting, key=lambda view: view.enqueued_at, reverse=True)[:limit]


class _Row(Protocol):
    """An event of the queue's own file, or of the control API."""

    @property
    def event_id(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def next_at_ns(self) -> int: ...
    @property
    def died_ns(self) -> int: ...
    @property
    def last_error(self) -> str: ...
    @property
    def enqueued_ns(self) -> int: ...


def event_view(row: _Row) -> EventView:
    """The view of an event as the queue has it."""
    return EventView(
        event_id=row.event_id,
        function=row.function,
        state=row.state,
        attempts=row.attempts,
        next_at=row.next_at_ns,
        died_at=row.died_ns,
        last_error=row.last_error,
        enqueued_at=row.enqueued_ns,
    )
