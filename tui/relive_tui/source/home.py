"""The data behind the screens: a home's store, its scenes, the server's status.

Nothing of the engines is imported here: the other rooms are imported by the worker thread that asks.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relive_base.errors import NotFound, ReliveError, ServerUnreachable
from relive_base.source_text import split_source
from relive_views.deployed import DeployedCode

from relive_tui.models.progress import Progress
from relive_tui.source.health.alerts import Alerts
from relive_tui.source.health.figures import Figures
from relive_tui.source.heaps import Heaps
from relive_tui.source.invocations import Invocations
from relive_tui.source.profiles import Profiles
from relive_tui.source.sql import Sql
from relive_tui.source.traces import MAX_SPANS, Traces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from relive_store import Store
    from relive_views.kept import KeptView
    from relive_views.profiles.why_slow import WhySlowView
    from relive_views.records import InvocationRow

    from relive_tui.models.health import Health
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.tickets import Ticket

__all__ = ["DataSource"]


class DataSource(Heaps, Profiles, Traces, Invocations, Figures, Alerts, Sql):
    """Reads a home. Implements `relive_tui.source.reading.Source`.

    `status` gives the object of `relive status --json`, or None without a server; without `status` nothing is
    said of a server. `frozen` gives the failed workers that the server keeps, `asks` what it says of its
    alerts.
    """

    file = ""  # not of one archive

    def __init__(
        self,
        open_store: Callable[[], Store],
        scenes_dir: Path,
        *,
        status: Callable[[], Mapping[str, Any] | None] | None = None,
        frozen: Callable[[], Sequence[Any]] | None = None,
        asks: Callable[[str, bytes], bytes] | None = None,
        home: Path | None = None,
        command: Sequence[str] = (),
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(open_store, scenes_dir, clock)
        self._status = status
        self._frozen = frozen
        self._asks = asks
        self._deployed = DeployedCode(home or scenes_dir.parent)
        self.command = tuple(command)

    def kept(self, invocation_id: str) -> KeptView | None:
        from relive_views.kept import kept_view

        try:
            workers = self._frozen() if self._frozen is not None else ()
        except ReliveError:
            return None  # a server that does not answer has nothing to debug
        for row in workers:
            if row.invocation_id == invocation_id:
                return kept_view(row)
        return None

    def aliases(self) -> dict[str, str]:
        return self._deployed.aliases()

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

    def why_slow(self, ticket: Ticket, scope: Scope) -> WhySlowView | None:
        from relive_views.profiles.why_slow import why_slow

        if not scope.invocation_id:
            return None
        deployed = self._deployed

        def source(row: InvocationRow) -> Callable[[str, int], str]:
            return deployed.line_of(row.function, row.version)

        try:
            found = why_slow(self._use(ticket), scope.invocation_id, attempt=scope.attempt, source=source)
        except NotFound:
            return None
        return found if found.answer.slow else None

    def source_path(self, ticket: Ticket, scope: Scope, version: int, file: str) -> str:
        return self._deployed.path(scope.function, version, file)

    def health(self) -> Health | None:
        if self._status is None:
            return None
        from relive_tui.models.health import Health
        from relive_tui.rows.health import health_of

        try:
            return health_of(self._status())
        except ServerUnreachable:
            return Health(False)

    def export(self, ticket: Ticket, scope: Scope, kind: str, target: str) -> str:
        from relive_tui.outside import exporting

        store = self._use(ticket)
        if kind in exporting.FLAME_KINDS:
            return exporting.export_flame(self._tree(ticket, scope), scope.function, kind, Path(target))
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
