"""What people have said of groups of failures (resolved, ignored), read and written for the screens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from relive_views import marks

from relive_tui.models.data import FailureGroup

if TYPE_CHECKING:
    from relive_capture.explore.failures import FailureRow
    from relive_store import Store

__all__ = ["not_settled", "settle", "with_states"]


def with_states(store: Store, groups: Iterable[FailureGroup]) -> list[FailureGroup]:
    """The groups, each with its state: one that was resolved and has failed since is a regression."""
    known = marks.marks(store)
    return [
        replace(group, state=marks.state_of(known, group.function, group.fingerprint, group.last_ns))
        for group in groups
    ]


def not_settled(store: Store, rows: Iterable[FailureRow]) -> list[FailureRow]:
    """The failures that somebody still has to look at."""
    known = marks.marks(store)
    return [
        row
        for row in rows
        if marks.state_of(known, row.function, row.fingerprint, row.captured_ns) not in marks.HIDDEN
    ]


def settle(store: Store, group: FailureGroup, state: str) -> None:
    """Say `state` ("open", "resolved" or "ignored") of a group, from now on. Raises StoreError."""
    version = max(group.versions, default=0)
    found = marks.Group(function=group.function, fingerprint=group.fingerprint, version=version)
    marks.mark(store, found, state)
