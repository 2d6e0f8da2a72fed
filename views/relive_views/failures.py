"""Failures, one by one or as groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from relive_base.terminal import title_line
from relive_capture.explore import failures as explore
from relive_capture.explore.failures import FailureFilter, FailureGroup, FailureRow
from relive_store import Store

from relive_views.ids import short_ids
from relive_views.marks import STATES, marks, state_of
from relive_views.places import place

__all__ = [
    "FailureFilter",
    "FailureRow",
    "FailureView",
    "GroupView",
    "Listed",
    "error_text",
    "failure_groups",
    "failures",
]


GROUP_FIELDS: Final = (
    "invocation_id", "attempt", "function", "kind", "error_type", "message", "file", "line", "where",
    "fingerprint", "captured_at", "first_at", "version", "versions", "trace_id", "count", "state",
)  # fmt: skip
_LOOKED_THROUGH: Final = 20_000  # failures, for those that are not hidden

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """What is listed, and how many of what was looked through are in another state."""

    rows: list[T]
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView:
    """A failed attempt. `short`: the shortest beginning of its id that commands take."""

    invocation_id: str
    attempt: int
    function: str
    version: int
    kind: str
    error_type: str
    message: str
    file: str
    line: int
    where: str
    fingerprint: str
    captured_at: int
    trace_id: str
    count: int
    state: str  # one of marks.STATES
    short: str

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive failures --json`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "short"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """All failures of a function with one fingerprint; ids and texts are the newest one's."""

    fingerprint: str
    function: str
    error_type: str
    message: str = ""
    kind: str = "exception"
    invocation_id: str = ""
    attempt: int = 1
    trace_id: str = ""
    file: str = ""
    line: int = 0
    count: int = 1
    captured_at: int = 0  # of the newest
    first_at: int = 0
    versions: tuple[int, ...] = ()
    state: str = "open"  # one of marks.STATES
    short: str = ""  # the beginning of the id that commands take
    spark: Sequence[int] = ()  # how many there were, in 20 equal buckets over the time asked for

    @property
    def where(self) -> str:
        """ "cart.py:33"."""
        return place(self.file, self.line)

    @property
    def version(self) -> int:
        """The highest."""
        return max(self.versions, default=0)

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive failures --group --json`."""
        return {name: getattr(self, name) for name in GROUP_FIELDS} | {"versions": list(self.versions)}


def failures(
    store: Store,
    wanted: FailureFilter,
    limit: int = 50,
    states: Collection[str] = STATES,
    *,
    shorten: bool = True,
) -> Listed[FailureView]:
    """Those in one of `states`, newest first; with short ids if `shorten`, which asks the store once more.
    Raises StoreError."""
    known = marks(store)
    rows: list[FailureRow] = []
    hidden = offset = 0
    while len(rows) < limit and offset < _LOOKED_THROUGH:
        page = explore.page(store, wanted, limit, offset)
        offset += len(page)
        for row in page:
            if state_of(known, row.function, row.fingerprint, row.captured_ns) in states:
                rows.append(row)
            else:
                hidden += 1
        if len(page) < limit:
            break
    del rows[limit:]
    short = short_ids(store, (row.invocation_id for row in rows)) if shorten else {}
    found = [
        FailureView(
            **_same(row),
            version=row.version,
            where=place(row.file, row.line),
            captured_at=row.captured_ns,
            count=1,
            state=state_of(known, row.function, row.fingerprint, row.captured_ns),
            short=short.get(row.invocation_id, ""),
        )
        for row in rows
    ]
    return Listed(found, hidden)


def failure_groups(
    store: Store,
    wanted: FailureFilter,
    limit: int = 50,
    states: Collection[str] = STATES,
    *,
    shorten: bool = True,
) -> Listed[GroupView]:
    """Those in one of `states`, the one with the newest failure first; with short ids if `shorten`. Raises
    StoreError."""
    known = marks(store)
    all_rows = explore.groups(store, wanted, limit + len(known))
    rows = [row for row in all_rows if state_of(known, row.function, row.fingerprint, row.last_ns) in states]
    hidden = len(all_rows) - len(rows)
    del rows[limit:]
    short = short_ids(store, (row.invocation_id for row in rows)) if shorten else {}
    found = [
        GroupView(
            **_same(row),
            captured_at=row.last_ns,
            first_at=row.first_ns,
            versions=row.versions,
            spark=row.spark,
            count=row.count,
            state=state_of(known, row.function, row.fingerprint, row.last_ns),
            short=short.get(row.invocation_id, ""),
        )
        for row in rows
    ]
    return Listed(found, hidden)


_SAME: Final = (
    "invocation_id", "attempt", "function", "kind", "error_type", "message", "file", "line",
    "fingerprint", "trace_id",
)  # fmt: skip


def _same(row: FailureRow | FailureGroup) -> dict[str, Any]:
    """What a failure and a group have in common: of a group, its newest failure's."""
    return {name: getattr(row, name) for name in _SAME}


def error_text(error_type: str, message: str) -> str:
    """ "KeyError: 'country'": the type without its module, which tables have no room for."""
    name, said = error_type.rpartition(".")[2], title_line(message)
    return f"{name}: {said}" if said and name else name or said
