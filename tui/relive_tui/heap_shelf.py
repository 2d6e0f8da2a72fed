"""Opened heaps: analysed once in a process of their own, shared by all who ask, the last one kept."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relive_base.errors import ReliveError

from relive_tui.models.heap_view import HeapView, view_heap
from relive_tui.models.progress import Progress
from relive_tui.tickets import Cancelled
from relive_tui.untrusted import number_in

if TYPE_CHECKING:
    from pathlib import Path

    from relive_capture.explore.heap.heap import Heap
    from relive_capture.explore.reader import SceneFile

    from relive_tui.tickets import Ticket

__all__ = ["HeapShelf"]

_META = "heap/meta.json"
POLL_S = 0.05
LIMIT_S = 120.0
"""What an analysis may take before it is given up."""
NS_PER_OBJECT = 4_000
"""About what an analysis takes, for the progress bar."""


@dataclass(slots=True)
class _Run:
    """One heap on its way, and how many wait for it."""

    progress: Progress = field(default_factory=Progress)
    done: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0
    wanted: bool = True
    view: HeapView | None = None
    error: Exception | None = None


class HeapShelf:
    """Heaps by scene. `folder` is the cache in which the analyses are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._latest: tuple[str, HeapView] | None = None
        self._runs: dict[str, _Run] = {}

    def open(self, ticket: Ticket, scene: SceneFile, progress: Progress) -> HeapView:
        """The analysed heap of a scene, or why there is none. Raises Cancelled, SceneError."""
        if _META not in scene.names:
            return _without_heap(scene)
        key = scene.hash
        with self._lock:
            if self._latest is not None and self._latest[0] == key:
                return self._latest[1]
            run = self._runs.get(key)
            if run is None:
                run = self._runs[key] = _Run()
                threading.Thread(target=self._work, args=(key, scene, run), daemon=True, name="heap").start()
            run.waiting += 1
        try:
            while not run.done.wait(POLL_S):
                progress.at(run.progress.stage, run.progress.share)
                if ticket.cancelled:
                    raise Cancelled
        finally:
            with self._lock:
                run.waiting -= 1
                run.wanted = run.waiting > 0
        if run.view is None:
            raise run.error or Cancelled
        return run.view

    def _work(self, key: str, scene: SceneFile, run: _Run) -> None:
        try:
            heap = self._heap(scene, run)
            run.progress.at(f"looking for leaks among {heap.objects:,} objects")
            run.view = view_heap(heap)
        except ReliveError as error:  # trying again would not help
            run.view = HeapView(reason=error.message, next_command=error.remedy)
        except Exception as error:  # it is raised again by those who wait
            run.error = error
        with self._lock:
            del self._runs[key]
            if run.view is not None:
                self._latest = (key, run.view)
        run.done.set()

    def _heap(self, scene: SceneFile, run: _Run) -> Heap:
        from relive_capture.explore.heap.cache import HeapCache
        from relive_capture.explore.heap.opening import key_of, open_heap

        cache = HeapCache(self._folder)
        heap = cache.load(key_of(scene))
        if heap is None:
            self._analyse(scene, run)
            heap = cache.load(key_of(scene))
        # where the cache cannot be written the analysis is done here, and keys may wait meanwhile
        return heap if heap is not None else open_heap(scene)

    def _analyse(self, scene: SceneFile, run: _Run) -> None:
        objects = _objects_of(scene)
        expected_s = max(objects * NS_PER_OBJECT / 1e9, 0.5)
        begun_s = time.monotonic()
        with _process(self._folder, scene.raw) as process:
            while process.poll() is None:
                spent_s = time.monotonic() - begun_s
                share = min(spent_s / expected_s, 0.99)
                run.progress.at(f"analysing {objects:,} objects, about {expected_s:.0f} s", share)
                if not run.wanted:
                    raise Cancelled
                if spent_s > LIMIT_S:
                    raise ReliveError(f"the analysis of the heap took over {LIMIT_S:.0f} s")
                time.sleep(POLL_S)
            if process.returncode and process.stderr is not None:
                why = process.stderr.read(2_000).decode("utf-8", "replace").strip()
                raise ReliveError(why or f"the analysis of the heap ended with status {process.returncode}")


def _objects_of(scene: SceneFile) -> int:
    """How many the snapshot says that it has; for the progress bar, so 0 where that cannot be read."""
    try:
        meta = json.loads(scene.member(_META))
    except (ReliveError, ValueError, RecursionError):
        return 0
    return number_in(meta, "objects") if isinstance(meta, dict) else 0


def _without_heap(scene: SceneFile) -> HeapView:
    part = scene.parts.get("heap")
    reason = part.reason if part is not None and part.reason else "the scene has none"
    function = str(scene.manifest.get("function", ""))
    command = f"relive heap {function} --next\ntakes one of its next invocation" if function else ""
    return HeapView(reason=reason, next_command=command)


@contextlib.contextmanager
def _process(folder: Path, data: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """The analysis of an archive, which is handed over without a file; it is gone afterwards."""
    command = [sys.executable, "-P", "-m", "relive_tui.heap_process", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(data)
            process.stdin.close()
            yield process
        finally:
            if process.poll() is None:
                process.kill()
