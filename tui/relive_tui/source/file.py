"""One scene archive as the whole world: what a colleague sent is looked at without a server or a home."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relive_views.failures import GroupView
from relive_views.profiles.trees import FlameTree, HotRow, shown_tree
from relive_views.records import InvocationRow, LogRow, SpanRow
from relive_views.scenes.archives import read_scene
from relive_views.scenes.reading import scene_span, scene_view
from relive_views.scenes.untrusted import mapping_in, number_in

from relive_tui.heap.shelf import HeapShelf
from relive_tui.models.lists.compare import Comparison
from relive_tui.models.progress import Progress
from relive_tui.outside.yank import cache_folder
from relive_tui.rows.profiles import hottest_of
from relive_tui.source.lone import LoneSource

if TYPE_CHECKING:
    from relive_views.profiles.trees import Folded
    from relive_views.scenes.model import SceneView

    from relive_tui.models.heap.view import HeapView
    from relive_tui.models.lists.filtering import InvocationQuery
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.reading import FailureRef
    from relive_tui.source.tickets import Ticket

__all__ = ["FileSource"]

_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


class FileSource(LoneSource):
    """Reads the archive at once: raises SceneError if it is none. Implements `reading.Source`."""

    what = "a scene file"

    def __init__(
        self, path: str, command: Sequence[str] = (), clock: Callable[[], int] = time.time_ns
    ) -> None:
        super().__init__(os.path.abspath(path), command, clock)
        self._scene = read_scene(path)
        self._view = scene_view(self._scene)
        self._shelf = HeapShelf(cache_folder(os.environ) / "heaps")

    # ------------------------------------------------------------ the failure

    def scene(self, ticket: Ticket, invocation_id: str, attempt: int) -> SceneView:
        return self._view

    def failures(self, ticket: Ticket, scope: Scope) -> list[FailureRef]:
        return [(self._view.invocation_id, self._view.attempt, self._view.function)]

    def failure_groups(self, ticket: Ticket, scope: Scope) -> list[GroupView]:
        row, view = self._row(), self._view
        return [
            GroupView(
                fingerprint=view.fingerprint,
                function=view.function,
                error_type=row.error_type,
                message=row.error_message,
                kind=view.kind,
                file=row.error_file,
                line=row.error_line,
                count=1,
                first_at=view.captured_ns,
                captured_at=view.captured_ns,
                invocation_id=view.invocation_id,
                attempt=view.attempt,
            )
        ]

    def _row(self) -> InvocationRow:
        """The invocation as the manifest knows it."""
        manifest, view = self._scene.manifest, self._view
        error = mapping_in(manifest, "error")
        times, resources = mapping_in(manifest, "times"), mapping_in(manifest, "resources")
        started, ended = number_in(times, "started_ns"), number_in(times, "ended_ns")
        return InvocationRow(
            invocation_id=view.invocation_id,
            function=view.function,
            attempt=view.attempt,
            version=view.version,
            trigger=str(manifest.get("trigger", "")),
            status=str(manifest.get("status", "error")),
            started_at=started or view.captured_ns,
            duration_ns=max(ended - started, 0) if started else 0,
            cpu_ns=number_in(resources, "cpu_ns"),
            peak_rss_bytes=number_in(resources, "peak_rss_bytes"),
            memory_limit_bytes=number_in(resources, "memory_limit_bytes"),
            trace_id=view.trace_id,
            span_id=view.span_id,
            error_type=str(error.get("type", "")),
            error_message=str(error.get("message", "")),
            error_file=str(error.get("file", "")),
            error_line=number_in(error, "line"),
            error_function=str(error.get("function", "")),
            logs=len(view.logs),
            has_scene=True,
        )

    def heap(self, ticket: Ticket, scope: Scope, progress: Progress) -> HeapView:
        found = self._shelf.open(ticket, self._scene, progress)
        return found if found.heap is not None else replace(found, next_command=f"relive scene {self.file}")

    # ------------------------------------------------------------ the invocation

    def invocation(self, ticket: Ticket, ident: str) -> InvocationRow:
        return self._row()

    def count(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
    ) -> int:
        return int(not since_ns)  # nothing new ever comes

    def invocations(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, *, until_ns: int, order: str, offset: int,
        limit: int, after: InvocationRow | None,
    ) -> list[InvocationRow]:  # fmt: skip
        return [] if offset else [self._row()]

    def unkept(self, ticket: Ticket, trace_id: str) -> None:
        return None

    def trace(self, ticket: Ticket, scope: Scope, limit: int = 0) -> tuple[str, list[SpanRow]]:
        """The function's own spans, below one for the invocation."""
        row = self._row()
        root = SpanRow(
            span_id=row.span_id,
            parent_span_id="",
            name=row.function,
            start_ns=row.started_at,
            duration_ns=row.duration_ns,
            trace_id=row.trace_id,
            kind="Server",
            service=row.function,
            status="Error",
            status_message=f"{row.error_type}: {row.error_message}",
            attributes={"faas.invocation_id": row.invocation_id},
        )
        spans = [scene_span(span, row.function) for span in self._scene.spans]
        return row.trace_id, [root, *spans][: limit or None]

    def logs(
        self, ticket: Ticket, scope: Scope, *, text: str = "", severity: str = "", since_ns: int = 0,
        until_ns: int = 0, after_ns: int = 0, limit: int = 1000,
    ) -> list[LogRow]:  # fmt: skip
        least = _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
        kept = [
            row
            for row in self._view.logs
            if row.timestamp_ns >= max(since_ns, after_ns + 1 if after_ns else 0)
            and (not until_ns or row.timestamp_ns < until_ns)
            and text.lower() in row.body.lower()
            and (row.severity not in _SEVERITIES or _SEVERITIES.index(row.severity) >= least)
        ]
        return kept[:limit] if after_ns else kept[-limit:]

    # ------------------------------------------------------------ the profile

    def _folded(self) -> Folded:
        from relive_views.profiles.trees import Folded, Stack

        profiles = [entry for entry in self._scene.profile if entry.get("phase", "invoke") == "invoke"]
        found = [(profile, entry) for profile in profiles for entry in profile.get("stacks") or ()]
        stacks = [
            Stack(
                self._view.function,
                tuple(map(str, entry.get("functions") or ())),
                tuple(map(str, entry.get("files") or ())),
                tuple(line if isinstance(line, int) else 0 for line in entry.get("lines") or ()),
                number_in(entry, "count"),
                number_in(entry, "wall_ns"),
                number_in(entry, "cpu_ns"),
            )
            for _profile, entry in found
            if isinstance(entry, Mapping)
        ]
        whole = [stack for stack in stacks if len(stack.names) == len(stack.files) == len(stack.lines)]
        whole.sort(key=lambda stack: -stack.wall_ns)
        return Folded(
            whole, samples=sum(stack.samples for stack in whole), profiles=len(profiles), invocations=1
        )

    def flame(self, ticket: Ticket, scope: Scope, weight: str) -> FlameTree:
        from relive_views.profiles.trees import build

        chosen: Any = weight
        return shown_tree(build(self._folded(), weight=chosen, aggregate=False))

    def hot(self, ticket: Ticket, scope: Scope, weight: str) -> list[HotRow]:
        from relive_views.profiles.trees import hot_list, on_cpu

        folded = on_cpu(self._folded()) if weight == "cpu" else self._folded()
        rows = hot_list(folded, "line", 200, waits_to_caller=True).rows
        return [row for row in rows if row.self_s > 0]

    def aliases(self) -> dict[str, str]:
        return {}

    def hottest(self, ticket: Ticket, scope: Scope) -> dict[str, str]:
        from relive_views.profiles.trees import hot_list

        return hottest_of(hot_list(self._folded(), "line", 1, waits_to_caller=True).rows)

    def compare(self, ticket: Ticket, before: InvocationRow, after: InvocationRow) -> Comparison:
        return Comparison((self._view.event, self._view.event))

    # ------------------------------------------------------------ files

    def source_lines(self, ticket: Ticket, scope: Scope, file: str) -> Sequence[str]:
        from relive_base.source_text import split_source

        return split_source(self._scene.source(file))

    def source_path(self, ticket: Ticket, scope: Scope, version: int, file: str) -> str:
        """The archive's copy of the file, written beside the user's other caches to be looked at."""
        text = self._scene.source(file)
        if not text:
            return ""
        # no name of the archive's own choosing but for the file's last part
        folder = cache_folder(os.environ) / "source" / hashlib.sha256(self._scene.raw).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = folder / (re.sub(r"[^\w.-]+", "_", file.rpartition("/")[2]).lstrip(".") or "source")
        target.write_text(text, encoding="utf-8", errors="replace")
        return str(target)

    def export(self, ticket: Ticket, scope: Scope, kind: str, target: str) -> str:
        from relive_tui.outside import exporting

        folder, view = Path(target), self._view
        if kind == "scene":
            name = f"{view.invocation_id}-{view.attempt}.scene"
            return exporting.write_new(folder, name, self._scene.raw)
        if kind == "heapsnapshot":
            found = self.heap(ticket, scope, Progress())
            return exporting.export_heap(found, view.invocation_id, folder)
        if kind in exporting.FLAME_KINDS:
            from relive_views.profiles.trees import build

            return exporting.export_flame(build(self._folded(), aggregate=False), view.function, kind, folder)
        if kind == "json":
            data = self._scene.member("spans.json")
            return exporting.write_new(folder, f"trace-{view.trace_id[:16]}.json", data)
        from relive_base.errors import UsageError

        raise UsageError("a scene file's trace cannot be sent", hint="export it as JSON")
