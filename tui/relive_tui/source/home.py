"""The data behind the screens: a store that is opened when it is first needed, scenes, the server's status.

Nothing of the engines is imported here: the other rooms are imported by the worker thread that asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from relive_base.errors import NotFound, ReliveError, ServerUnreachable
from relive_base.source_text import split_source

from relive_tui.models.layout.format import short_id
from relive_tui.models.navigation.scope import Scope
from relive_tui.models.progress import Progress
from relive_tui.source.deployed import DeployedCode
from relive_tui.source.tickets import TicketStore

if TYPE_CHECKING:
    from relive_capture.explore.heap.findings import Comparison as Growth
    from relive_profiler.explore.filters import HotFilter
    from relive_store import Store
    from relive_tracer.explore.invocations import InvocationFilter

    from relive_tui.heap.shelf import HeapShelf
    from relive_tui.models.data import (
        FailureGroup,
        FlameView,
        FunctionRow,
        HeapRef,
        HotLine,
        InvocationRow,
        KeptView,
        LogRow,
        ReplayView,
        SceneView,
        SpanRow,
    )
    from relive_tui.models.health import Health
    from relive_tui.models.heap.view import HeapView
    from relive_tui.models.lists.compare import Comparison
    from relive_tui.models.lists.filtering import InvocationQuery
    from relive_tui.source.reading import FailureRef
    from relive_tui.source.tickets import Ticket

__all__ = ["DataSource"]

MAX_GROUPS = 500
MAX_FAILURES = 2_000
MAX_SPANS = 50_000
MAX_HOT_LINES = 200
HOTTEST_LINES = 5_000
MAX_CHANGES = 20
MAX_HEAPS = 100
_ORDER_FIELDS = {"slowest": "duration_ns", "cpu": "cpu_ns", "memory": "peak_rss_bytes", "queue": "queue_ns"}


class DataSource:
    """Reads a store. `open_store` may block and raise; it is called again after the store was lost.

    `status` gives the object of `relive status --json`, or None without a server; without `status` nothing is
    said of a server. `frozen` gives the failed workers that the server keeps. Implements
    `relive_tui.source.reading.Source`.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        scenes_dir: Path,
        *,
        status: Callable[[], Mapping[str, Any] | None] | None = None,
        frozen: Callable[[], Sequence[Any]] | None = None,
        home: Path | None = None,
        command: Sequence[str] = (),
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._open_store = open_store
        self._scenes_dir = scenes_dir
        self._status = status
        self._frozen = frozen
        self._deployed = DeployedCode(home or scenes_dir.parent)
        self._clock = clock
        self.command = tuple(command)
        self._store: Store | None = None
        self._shelf: HeapShelf | None = None
        self._lock = threading.Lock()

    file = ""  # not of one archive

    def now_ns(self) -> int:
        """The clock."""
        return self._clock()

    # ------------------------------------------------------------ the store

    def _use(self, ticket: Ticket) -> Store:
        with self._lock:
            if self._store is None:
                self._store = self._open_store()
            return cast("Store", TicketStore(self._store, ticket, lost=self._lost))

    def _lost(self, store: Store) -> None:
        """The store does not answer: the next question opens it anew."""
        with self._lock:
            if self._store is store:
                self._store = None

    def cancel(self, ticket: Ticket) -> None:
        """Stop in the engine what runs for a ticket."""
        for store, query_id in ticket.cancel():
            try:
                store.cancel(query_id)
            except Exception:
                continue

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    # ------------------------------------------------------------ failures

    def failure_groups(self, ticket: Ticket, scope: Scope) -> list[FailureGroup]:
        from relive_capture.explore import failures

        from relive_tui.rows.records import group_row
        from relive_tui.source.settling import with_states

        wanted = failures.FailureFilter(function=scope.function, since_ns=scope.since_ns(self.now_ns()))
        store = self._use(ticket)
        groups = failures.groups(store, wanted, limit=MAX_GROUPS)
        return with_states(store, sorted(map(group_row, groups), key=lambda group: -group.last_ns))

    def failures(self, ticket: Ticket, scope: Scope) -> list[FailureRef]:
        from relive_capture.explore import failures

        from relive_tui.source.settling import not_settled

        wanted = failures.FailureFilter(function=scope.function, since_ns=scope.since_ns(self.now_ns()))
        store = self._use(ticket)
        rows = not_settled(store, failures.page(store, wanted, limit=MAX_FAILURES))
        return [(row.invocation_id, row.attempt, row.function) for row in rows]

    def scene(self, ticket: Ticket, invocation_id: str, attempt: int) -> SceneView:
        from relive_capture.explore import scenes

        from relive_tui.rows.records import scene_of_record, scene_view
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

    def history(self, ticket: Ticket, function: str, fingerprint: str) -> FailureGroup | None:
        from relive_capture.explore import failures

        from relive_tui.rows.records import group_row
        from relive_tui.source.settling import with_states

        wanted = failures.FailureFilter(function=function, fingerprint=fingerprint)
        store = self._use(ticket)
        found = failures.groups(store, wanted, limit=1) if fingerprint else []
        return with_states(store, [group_row(found[0])])[0] if found else None

    def settle(self, ticket: Ticket, group: FailureGroup, state: str) -> None:
        from relive_tui.source.settling import settle

        settle(self._use(ticket), group, state)

    def replay(self, ticket: Ticket, invocation_id: str, attempt: int) -> ReplayView | None:
        from relive_platform.replay.history import last_replay

        from relive_tui.rows.records import replay_view

        note = last_replay(self._scenes_dir, invocation_id, attempt)
        return replay_view(note) if note is not None else None

    def kept(self, invocation_id: str) -> KeptView | None:
        from relive_tui.models.data import KeptView

        try:
            workers = self._frozen() if self._frozen is not None else ()
        except ReliveError:
            return None  # a server that does not answer has nothing to debug
        for row in workers:
            if row.invocation_id == invocation_id:
                return KeptView(row.pid, row.expires_s, row.attached)
        return None

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
            from relive_tui.rows.records import without_scene

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
        from relive_capture.explore.scene import find_baseline, read_scene

        from relive_tui.rows.records import baseline_ref, heap_ref

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
        from relive_capture.explore.scene import read_scene

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

    def _row_of(self, ticket: Ticket, invocation_id: str, attempt: int) -> InvocationRow | None:
        from relive_tracer.explore import invocations

        from relive_tui.rows.records import invocation_row

        try:
            return invocation_row(invocations.get(self._use(ticket), invocation_id, attempt=attempt))
        except NotFound:
            return None

    # ------------------------------------------------------------ functions and invocations

    def functions(self, ticket: Ticket, scope: Scope) -> list[FunctionRow]:
        from relive_tracer.explore import functions

        from relive_tui.rows.records import function_row

        rows = functions.stats(self._use(ticket), scope.since_ns(self.now_ns()), function=scope.function)
        return [function_row(row) for row in rows]

    def invocation(self, ticket: Ticket, ident: str) -> InvocationRow:
        from relive_tracer.explore import invocations

        from relive_tui.rows.records import invocation_row

        return invocation_row(invocations.get(self._use(ticket), ident))

    def count(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
    ) -> int:
        from relive_tracer.explore import invocations

        return invocations.count(self._use(ticket), _invocation_filter(scope, query, since_ns, until_ns))

    def invocations(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, *, until_ns: int, order: str, offset: int,
        limit: int, after: InvocationRow | None,
    ) -> list[InvocationRow]:  # fmt: skip
        from relive_tracer.explore import invocations

        from relive_tui.rows.records import invocation_row

        before = None
        if after is not None:
            key = getattr(after, _ORDER_FIELDS.get(order, "started_ns"))
            before = (key, after.invocation_id, after.attempt)
        rows = invocations.page(
            self._use(ticket),
            _invocation_filter(scope, query, scope.since_ns(until_ns), until_ns),
            before=before,
            offset=0 if before else offset,
            limit=limit,
            order=order,
        )
        return [invocation_row(row) for row in rows]

    # ------------------------------------------------------------ traces and logs

    def trace(self, ticket: Ticket, scope: Scope) -> tuple[str, list[SpanRow]]:
        from relive_tracer.explore import traces

        from relive_tui.rows.records import span_row
        from relive_tui.source.meaning import meant_trace

        store = self._use(ticket)
        ident = scope.trace_id or scope.invocation_id
        if not ident and scope.function:
            ident = self._newest_of(ticket, scope.function)
        trace_id = ident if len(ident) == 32 and scope.trace_id else meant_trace(store, ident or "last")
        return trace_id, [span_row(row) for row in traces.trace(store, trace_id, MAX_SPANS)]

    def _newest_of(self, ticket: Ticket, function: str) -> str:
        from relive_tracer.explore import invocations

        rows = invocations.page(self._use(ticket), invocations.InvocationFilter(function=function), limit=1)
        return rows[0].trace_id if rows else ""

    def logs(
        self, ticket: Ticket, scope: Scope, *, text: str = "", severity: str = "", since_ns: int = 0,
        until_ns: int = 0, after_ns: int = 0, limit: int = 1000,
    ) -> list[LogRow]:  # fmt: skip
        from relive_tracer.explore import logs

        from relive_tui.rows.records import log_row

        wanted = logs.LogFilter(
            function="" if scope.trace_id else scope.function,
            invocation_id=scope.invocation_id,
            trace_id="" if scope.invocation_id else scope.trace_id,
            severity=severity,
            text=text,
            since_ns=since_ns,
            until_ns=until_ns,
        )
        rows = logs.page(self._use(ticket), wanted, after_ns=after_ns or None, limit=limit)
        return [log_row(row) for row in rows]

    # ------------------------------------------------------------ profiles

    def _hot_filter(self, scope: Scope) -> HotFilter:
        from relive_profiler.explore.filters import HotFilter

        if scope.invocation_id:
            return HotFilter(function=scope.function, invocation_ids=(scope.invocation_id,))
        return HotFilter(function=scope.function, since_ns=scope.since_ns(self.now_ns()))

    def flame(self, ticket: Ticket, scope: Scope, weight: str) -> FlameView:
        from relive_profiler.explore import flame

        from relive_tui.rows.profiles import flame_view

        chosen = cast('Literal["wall", "cpu"]', weight)
        return flame_view(flame.flame(self._use(ticket), self._hot_filter(scope), weight=chosen))

    def hot(self, ticket: Ticket, scope: Scope) -> list[HotLine]:
        from relive_profiler.explore import hot

        from relive_tui.rows.profiles import hot_line

        found = hot.hot(
            self._use(ticket), self._hot_filter(scope), by="line", limit=MAX_HOT_LINES, waits_to_caller=True
        )
        return [hot_line(row) for row in found.rows if row.self_s > 0]

    def hottest(self, ticket: Ticket, scope: Scope) -> dict[str, str]:
        from relive_profiler.explore import hot

        from relive_tui.rows.profiles import hottest_of

        wanted = self._hot_filter(scope.without_invocation())
        store = self._use(ticket)
        found = hot.hot(store, wanted, by="line", limit=HOTTEST_LINES, waits_to_caller=True)
        return hottest_of(found.rows)

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

    def export(self, ticket: Ticket, scope: Scope, kind: str, target: str) -> str:
        from relive_tui.outside import exporting

        store = self._use(ticket)
        if kind in ("speedscope", "html"):
            from relive_profiler.explore import flame

            tree = flame.flame(store, self._hot_filter(scope))
            return exporting.export_flame(tree, scope.function, kind, Path(target))
        if kind == "heapsnapshot":
            found = self.heap(ticket, scope, Progress())
            return exporting.export_heap(found, scope.invocation_id, Path(target))
        if kind == "scene":
            return exporting.export_scene(
                store, self._scenes_dir, scope.invocation_id or "last", scope.attempt, Path(target)
            )
        if kind == "json":
            return exporting.export_trace_file(store, scope.trace_id, Path(target), MAX_SPANS)
        return exporting.send_trace(store, scope.trace_id, target, MAX_SPANS)

    def source_lines(self, ticket: Ticket, scope: Scope, file: str) -> Sequence[str]:
        """From the scene, if the invocation has one; else from the code of the version in service."""
        return self._scene_source(ticket, scope, file) or self._deployed.lines(scope.function, file)

    def _scene_source(self, ticket: Ticket, scope: Scope, file: str) -> Sequence[str]:
        from relive_capture.explore import scenes

        if not scope.invocation_id:
            return ()
        try:
            scene = scenes.load(self._use(ticket), self._scenes_dir, scope.invocation_id, scope.attempt)
        except NotFound:
            return ()
        return split_source(scene.source(file))

    def source_path(self, ticket: Ticket, scope: Scope, version: int, file: str) -> str:
        return self._deployed.path(scope.function, version, file)

    # ------------------------------------------------------------ the server

    def health(self) -> Health | None:
        if self._status is None:
            return None
        from relive_tui.models.health import Health
        from relive_tui.rows.records import health_of

        try:
            return health_of(self._status())
        except ServerUnreachable:
            return Health(False)


def _invocation_filter(
    scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
) -> InvocationFilter:
    from relive_tracer.explore.invocations import InvocationFilter

    return InvocationFilter(
        function=query.function or scope.function,
        statuses=query.statuses,
        since_ns=since_ns,
        until_ns=until_ns,
        trigger=query.trigger,
        version=query.version,
        trace_id=query.trace_id,
        min_duration_ns=query.min_duration_ns,
        text=query.text,
    )
