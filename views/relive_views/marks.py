"""What people have said of groups of failures: resolved or ignored; and which of them have come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relive_base.errors import NotFound, UsageError
from relive_store import QueryError, Store

from relive_views.naming import Finder

__all__ = ["HIDDEN", "MARKS", "STATES", "Group", "Mark", "group_of", "mark", "marks", "state_of"]

Key = tuple[str, str]
"""A group's function and fingerprint."""
STATES: Final = ("open", "regression", "resolved", "ignored")
"""Of a failure or a group. "regression": it was resolved, and has failed again since."""
MARKS: Final = ("open", "resolved", "ignored")
HIDDEN: Final = ("resolved", "ignored")
_MAX_MARKS: Final = 100_000
_MAX_NOTE: Final = 1_000

_MARKS: Final = """
SELECT Function, Fingerprint, argMax(State, MarkedAt), max(toUnixTimestamp64Nano(MarkedAt)),
    argMax(Version, MarkedAt), argMax(Note, MarkedAt)
FROM failure_marks
GROUP BY Function, Fingerprint
"""
_GROUP: Final = """
SELECT Function, Fingerprint, argMax(Version, CapturedAt) AS Version
FROM failure_scenes
WHERE InvocationId = {ident:String} OR ({group:String} != '' AND startsWith(Fingerprint, {group:String}))
GROUP BY Function, Fingerprint
ORDER BY max(CapturedAt) DESC
LIMIT 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was said last. `version`: of the newest failure then; `marked_at`: ns."""

    state: str
    marked_at: int
    version: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of failures. `version`: of its newest one."""

    function: str
    fingerprint: str
    version: int


def marks(store: Store) -> dict[Key, Mark]:
    """All marks. A store that no server of this version has opened yet has none. Raises StoreError."""
    try:
        rows = store.query(_MARKS, max_rows=_MAX_MARKS).rows()
    except QueryError as error:
        if "failure_marks" in error.message:
            return {}
        raise
    return {
        (str(function), str(fingerprint)): Mark(
            state=str(state), marked_at=int(str(at)), version=int(str(version)), note=str(note)
        )
        for function, fingerprint, state, at, version, note in rows
    }


def mark(
    store: Store, group: Group, state: str, note: str = "", clock_ns: Callable[[], int] = time.time_ns
) -> Mark:
    """Say `state` ("open", "resolved", "ignored") of a group, from now on. Raises StoreError."""
    made = Mark(state=state, marked_at=clock_ns(), version=group.version, note=note[:_MAX_NOTE])
    store.insert(
        "failure_marks",
        {
            "Function": [group.function],
            "Fingerprint": [group.fingerprint],
            "State": [made.state],
            "Version": [made.version],
            "Note": [made.note],
            "MarkedAt": [made.marked_at],
        },
    )
    return made


def state_of(known: Mapping[Key, Mark], function: str, fingerprint: str, captured_at: int) -> str:
    """Of a failure, or of a group whose newest failure was captured then: one of STATES."""
    found = known.get((function, fingerprint))
    if found is None:
        return "open"
    if found.state == "resolved" and captured_at > found.marked_at:
        return "regression"
    return found.state


def group_of(store: Store, finder: Finder, text: str) -> Group:
    """The group that `text` means: its fingerprint or the beginning of it, or whatever means a failure.

    Raises NotFound, UsageError if it may mean several.
    """
    rows = list(store.query(_GROUP, {"ident": "", "group": text.lower()}).rows()) if len(text) >= 6 else []
    if not rows:
        ident = finder.failure(text).ident
        rows = list(store.query(_GROUP, {"ident": ident, "group": ""}).rows())[:1]
    if len(rows) > 1:
        raise UsageError(
            f"{text!r} may mean {rows[0][1]} of {rows[0][0]} and {rows[1][1]} of {rows[1][0]}",
            hint="name a failure of the group: its id",
        )
    if not rows:
        raise NotFound(f"no failure of {text!r} is known", hint="list them: relive failures")
    function, fingerprint, version = rows[0]
    return Group(function=str(function), fingerprint=str(fingerprint), version=int(str(version)))
