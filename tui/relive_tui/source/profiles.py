"""Where the time went, in a home's invocations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from relive_base.errors import NotFound

from relive_tui.models.navigation.scope import Scope
from relive_tui.source.failures import Failures

if TYPE_CHECKING:
    from relive_views.profiles.hot import HotFilter
    from relive_views.profiles.trees import FlameTree, HotRow
    from relive_views.records import InvocationRow

    from relive_tui.models.lists.compare import Comparison
    from relive_tui.models.profile.diff_flame import Compared
    from relive_tui.source.tickets import Ticket

__all__ = ["Profiles"]

MAX_HOT_LINES: Final = 200
HOTTEST_LINES: Final = 5_000
MAX_CHANGES: Final = 20


def _weight(name: str) -> Literal["wall", "cpu"]:
    return "cpu" if name == "cpu" else "wall"


class Profiles(Failures):
    """Implements that part of `relive_tui.source.reading.Source`."""

    def _hot_filter(self, scope: Scope) -> HotFilter:
        from relive_views.profiles.hot import HotFilter

        if scope.invocation_id:
            return HotFilter(function=scope.function, invocation_ids=(scope.invocation_id,))
        return HotFilter(function=scope.function, since_ns=scope.since_ns(self.now_ns()))

    def flame(self, ticket: Ticket, scope: Scope, weight: str) -> FlameTree:
        from relive_views.profiles.trees import shown_tree

        return shown_tree(self._tree(ticket, scope, _weight(weight)))

    def _tree(self, ticket: Ticket, scope: Scope, weight: Literal["wall", "cpu"] = "wall") -> FlameTree:
        from relive_profiler.explore import flame

        wanted, cut = self._inside(ticket, scope)
        tree = flame.flame(self._use(ticket), wanted, weight=weight, imports=scope.imports)
        return replace(tree, note=f"{tree.note}; only {cut}") if cut else tree

    def _inside(self, ticket: Ticket, scope: Scope) -> tuple[HotFilter, str]:
        """Of a span, if one is meant, and what is missing of it; of cold starts, if what they import is."""
        from relive_views.profiles import spans

        wanted = self._hot_filter(scope)
        if scope.imports:
            return replace(wanted, phase="init"), ""
        if not (scope.span_id and scope.invocation_id):
            return wanted, ""
        found = spans.span(self._use(ticket), scope.span_id, scope.trace_id)
        return replace(wanted, span_ids=found.span_ids), found.note

    def hot(self, ticket: Ticket, scope: Scope, weight: str) -> list[HotRow]:
        from relive_profiler.explore import hot
        from relive_views.profiles.trees import ENOUGH_SAMPLES

        store = self._use(ticket)
        wanted, _ = self._inside(ticket, scope)
        by: Literal["line", "module"] = "module" if scope.imports else "line"
        most, chosen, waits = MAX_HOT_LINES, _weight(weight), not scope.imports
        found = hot.hot(store, wanted, by, most, weight=chosen, waits_to_caller=waits)
        if wanted.span_ids and found.samples < ENOUGH_SAMPLES:  # as the tree: of the invocation
            wanted = replace(wanted, span_ids=())
            found = hot.hot(store, wanted, by, most, weight=chosen, waits_to_caller=True)
        return [row for row in found.rows if row.self_s > 0]

    def hottest(self, ticket: Ticket, scope: Scope) -> dict[str, str]:
        from relive_profiler.explore import hot

        from relive_tui.rows.profiles import hottest_of

        wanted = self._hot_filter(scope.without_invocation())
        store = self._use(ticket)
        found = hot.hot(store, wanted, by="line", limit=HOTTEST_LINES, waits_to_caller=True)
        return hottest_of(found.rows)

    def compared(self, ticket: Ticket, scope: Scope, what: str, weight: str) -> Compared:
        from relive_views.profiles import diff

        from relive_tui.models.profile.diff_flame import Compared

        store = self._use(ticket)
        if what == "usual":
            return self._against_usual(ticket, scope, weight)
        wanted = self._hot_filter(scope.without_invocation())
        if what == "slow":
            sides = diff.sides_of_slow(store, wanted)
        elif what == "failed":
            sides = diff.sides_of_failed(wanted)
        else:
            first, second = (int(part) for part in what.split(","))
            versions = replace(wanted, version=first), replace(wanted, version=second)
            sides = (*versions, f"of version {first}", f"of version {second}")
        found = diff.diff(store, sides, "line", MAX_HOT_LINES, _weight(weight))
        counts = found.found
        before = f"{found.before} ({counts.before_invocations:,})"
        after = f"{found.after} ({counts.after_invocations:,})"
        return Compared(before, after, found.tree, counts.rows, counts.note)

    def _against_usual(self, ticket: Ticket, scope: Scope, weight: str) -> Compared:
        from relive_views.profiles.why_slow import why_slow

        from relive_tui.models.profile.diff_flame import Compared, rows_of

        found = why_slow(self._use(ticket), scope.invocation_id, attempt=scope.attempt)
        tree, answer = found.tree, found.answer
        missing = [
            name
            for name, samples in (("usual", tree.before_samples), ("this one", tree.after_samples))
            if not samples
        ]
        note = f"no samples of {' and '.join(missing)}" if missing else ""
        before = f"{answer.normal.count} that went well"
        return Compared(before, "this one", tree, rows_of(tree, weight), note, answer.sentence)

    def compare(self, ticket: Ticket, before: InvocationRow, after: InvocationRow) -> Comparison:
        from relive_profiler.explore import diff

        from relive_tui.models.lists.compare import Comparison
        from relive_tui.rows.profiles import hot_change

        events = (self._event_of(ticket, before), self._event_of(ticket, after))
        if before.invocation_id == after.invocation_id:
            return Comparison(events, (), "profiles do not tell attempts of one invocation apart")
        sides = [
            self._hot_filter(Scope(function=row.function, invocation_id=row.invocation_id))
            for row in (before, after)
        ]
        found = diff.diff(self._use(ticket), sides[0], sides[1], by="line", limit=MAX_CHANGES)
        changes = [hot_change(row) for row in found.rows]
        hot = tuple(row for row in changes if row.before_ms or row.after_ms)
        return Comparison(events, hot, found.note)

    def _event_of(self, ticket: Ticket, row: InvocationRow) -> str | None:
        if not row.has_scene:
            return None
        try:
            return self.scene(ticket, row.invocation_id, row.attempt).event
        except NotFound:
            return None
