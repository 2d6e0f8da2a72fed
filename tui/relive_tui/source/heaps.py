"""Heaps of a home's failures, analysed when they are asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import NotFound

from relive_tui.models.layout.format import short_id
from relive_tui.source.failures import Failures

if TYPE_CHECKING:
    from relive_views.heaps import Comparison as Growth

    from relive_tui.heap.shelf import HeapShelf
    from relive_tui.models.heap.ref import HeapRef
    from relive_tui.models.heap.view import HeapView
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.models.progress import Progress
    from relive_tui.source.tickets import Ticket

__all__ = ["Heaps"]

MAX_FAILURES: Final = 2_000
MAX_HEAPS: Final = 100


class Heaps(Failures):
    """Implements that part of `relive_tui.source.reading.Source`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shelf: HeapShelf | None = None

    def heap(self, ticket: Ticket, scope: Scope, progress: Progress) -> HeapView:
        from relive_capture.explore import scenes

        from relive_tui.source.meaning import meant_failure

        store = self._use(ticket)
        ident, attempt = scope.invocation_id or self._newest_failure(ticket, scope), scope.attempt
        if not ident:
            what = "of this trace" if scope.trace_id else f"of {scope.function}"
            return HeapView(reason=f"no failure {what} is known", next_command="relive failures")
        ident = meant_failure(store, ident)
        try:
            scene = scenes.load(store, self._scenes_dir, ident, attempt)
        except NotFound as missing:
            from relive_tui.rows.heaps import without_scene

            row = None if ident == "last" else self._row_of(ticket, ident, attempt)
            if row is None:
                raise
            return without_scene(row, missing.message)
        same = None if scene.has_heap else scenes.with_same_heap(store, self._scenes_dir, scene)
        if same is None:
            found = self._heaps().open(ticket, scene, progress)
            return replace(found, invocation_id=scene.invocation_id, attempt=scene.attempt)
        found = self._heaps().open(ticket, same, progress)
        why = f"same failure; {short_id(scene.invocation_id)} has no heap"
        return replace(found, reason=why, invocation_id=same.invocation_id, attempt=same.attempt)

    def _newest_failure(self, ticket: Ticket, scope: Scope) -> str:
        """The id of the newest failure of the scope's function, "last" of all; "" if there is none, and for a
        trace of which no invocation is known."""
        from relive_capture.explore import failures

        if scope.trace_id:
            return ""
        if not scope.function:
            return "last"
        rows = failures.page(self._use(ticket), failures.FailureFilter(function=scope.function), limit=1)
        return rows[0].invocation_id if rows else ""

    def heap_others(self, ticket: Ticket, scope: Scope) -> list[HeapRef]:
        from relive_capture.explore import failures
        from relive_views.heaps import find_baseline
        from relive_views.scenes.archives import read_scene

        from relive_tui.rows.heaps import baseline_ref, heap_ref

        wanted = failures.FailureFilter(function=scope.function)
        rows = failures.page(self._use(ticket), wanted, limit=MAX_FAILURES)
        here = (scope.invocation_id, scope.attempt or 1)
        others = [
            heap_ref(row)
            for row in rows
            if row.parts.get("heap") in ("ok", "partial") and (row.invocation_id, row.attempt) != here
        ]
        version = next((row.version for row in rows if (row.invocation_id, row.attempt) == here), 0)
        healthy = find_baseline(self._scenes_dir, scope.function, version) if scope.function else None
        if healthy is not None:
            others.insert(0, baseline_ref(read_scene(healthy), healthy))
        return others[:MAX_HEAPS]

    def heap_growth(self, ticket: Ticket, scope: Scope, other: HeapRef, progress: Progress) -> Growth:
        from relive_capture.explore import scenes
        from relive_views.scenes.archives import read_scene

        store = self._use(ticket)
        after = scenes.load(store, self._scenes_dir, scope.invocation_id or "last", scope.attempt)
        if other.file:
            before = read_scene(other.file)
        else:
            before = scenes.load(store, self._scenes_dir, other.invocation_id, other.attempt)
        return self._heaps().compare(ticket, before, after, progress)

    def _heaps(self) -> HeapShelf:
        from relive_tui.heap.shelf import HeapShelf

        with self._lock:
            if self._shelf is None:
                self._shelf = HeapShelf(self._scenes_dir / "cache")
            return self._shelf
