"""Failures of a home: groups, scenes, their history and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_base.errors import NotFound

from relive_tui.source.link import StoreLink

if TYPE_CHECKING:
    from relive_views.failures import GroupView
    from relive_views.records import InvocationRow
    from relive_views.scenes.model import SceneView
    from relive_views.scenes.replays import ReplayNote

    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.reading import FailureRef
    from relive_tui.source.tickets import Ticket

__all__ = ["Failures"]

MAX_GROUPS: Final = 500
MAX_FAILURES: Final = 2_000


class Failures(StoreLink):
    """Implements that part of `relive_tui.source.reading.Source`."""

    def failure_groups(self, ticket: Ticket, scope: Scope) -> list[GroupView]:
        from relive_views import failures

        wanted = failures.FailureFilter(function=scope.function, since_ns=scope.since_ns(self.now_ns()))
        found = failures.failure_groups(self._use(ticket), wanted, MAX_GROUPS, shorten=False)
        return sorted(found.rows, key=lambda group: -group.captured_at)

    def failures(self, ticket: Ticket, scope: Scope) -> list[FailureRef]:
        from relive_views import failures
        from relive_views.marks import HIDDEN, STATES

        wanted = failures.FailureFilter(function=scope.function, since_ns=scope.since_ns(self.now_ns()))
        shown = [state for state in STATES if state not in HIDDEN]
        found = failures.failures(self._use(ticket), wanted, MAX_FAILURES, shown, shorten=False)
        return [(row.invocation_id, row.attempt, row.function) for row in found.rows]

    def scene(self, ticket: Ticket, invocation_id: str, attempt: int) -> SceneView:
        from relive_capture.explore import scenes
        from relive_views.scenes.reading import scene_of_record, scene_view

        from relive_tui.source.meaning import meant_failure

        store = self._use(ticket)
        invocation_id = meant_failure(store, invocation_id)
        try:
            return scene_view(scenes.load(store, self._scenes_dir, invocation_id, attempt))
        except NotFound as missing:
            row = None if invocation_id == "last" else self._row_of(ticket, invocation_id, attempt)
            if row is None:
                raise
            return scene_of_record(row, f"no scene: {missing.message}")

    def history(self, ticket: Ticket, function: str, fingerprint: str) -> GroupView | None:
        from relive_views import failures

        if not fingerprint:
            return None
        wanted = failures.FailureFilter(function=function, fingerprint=fingerprint)
        found = failures.failure_groups(self._use(ticket), wanted, 1, shorten=False)
        return found.rows[0] if found.rows else None

    def settle(self, ticket: Ticket, group: GroupView, state: str) -> None:
        from relive_views import marks

        meant = marks.Group(function=group.function, fingerprint=group.fingerprint, version=group.version)
        marks.mark(self._use(ticket), meant, state)

    def replay(self, ticket: Ticket, invocation_id: str, attempt: int) -> ReplayNote | None:
        from relive_views.scenes.replays import last_replay

        return last_replay(self._scenes_dir, invocation_id, attempt)

    def _row_of(self, ticket: Ticket, invocation_id: str, attempt: int) -> InvocationRow | None:
        from relive_tracer.explore import invocations

        try:
            return invocations.get(self._use(ticket), invocation_id, attempt=attempt)
        except NotFound:
            return None
