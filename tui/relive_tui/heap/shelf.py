"""Opened heaps: analysed once in a process of their own, shared by all who ask, the last ones kept."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from relive_base.errors import ReliveError
from relive_views.scenes.untrusted import number_in

from relive_tui.models.heap.view import HeapView, view_heap
from relive_tui.models.progress import Progress
from relive_tui.source.tickets import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from relive_views.heaps import Comparison, Heap, HeapKey
    from relive_views.scenes.archives import SceneFile

    from relive_tui.source.tickets import Ticket

__all__ = ["HeapShelf"]

KEPT = 2
POLL_S = 0.05
LIMIT_S = 120.0
"""What an analysis may take before it is given up."""
NS_PER_OBJECT = 3_000
"""About what an analysis takes, for the progress bar."""
V8_BYTES_PER_OBJECT = 60
"""About what an object takes in a .heapsnapshot, for the same."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024


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
        self._kept: OrderedDict[str, HeapView] = OrderedDict()
        self._runs: dict[str, _Run] = {}

    # ------------------------------------------------------------ for worker threads

    def open(self, ticket: Ticket, scene: SceneFile, progress: Progress) -> HeapView:
        """The analysed heap of a scene, or why there is none. Raises Cancelled."""
        from relive_views.heaps import key_of, open_heap

        if not scene.has_heap:
            return _without_heap(scene)
        return self._shared(
            ticket,
            scene.hash,
            progress,
            lambda run: self._heap(
                run, key_of(scene), _objects_of(scene), scene.raw, (), lambda: open_heap(scene)
            ),
        )

    def open_v8(self, ticket: Ticket, path: Path, progress: Progress) -> HeapView:
        """The same of a `.heapsnapshot` file."""
        from relive_views.heaps import HeapCache, open_v8

        def work(run: _Run) -> Heap:
            # its key is the file's hash: which the process works out, as it works out all else
            objects = path.stat().st_size // V8_BYTES_PER_OBJECT if path.is_file() else 0
            self._analyse(run, objects, b"", (str(path),))
            return open_v8(path, HeapCache(self._folder))

        return self._shared(ticket, str(path), progress, work)

    def compare(self, ticket: Ticket, before: SceneFile, after: SceneFile, progress: Progress) -> Comparison:
        """What has grown from one scene's heap to another's. Raises Cancelled, ReliveError."""
        import msgspec
        from relive_views.heaps import Comparison, key_of

        for scene in (before, after):
            found = self.open(ticket, scene, progress)
            if found.heap is None:
                raise ReliveError(found.reason)
        progress.at("comparing the heaps")
        keys = [part for scene in (before, after) for part in (key_of(scene).name, key_of(scene).hash)]
        with _process(["compare", str(self._folder), *keys], b"") as (process, output):
            _wait(process, lambda: ticket.cancelled)
            output.seek(0)
            return msgspec.json.decode(output.read(MAX_ANSWER_BYTES), type=Comparison)

    # ------------------------------------------------------------ one run for all who ask

    def _shared(self, ticket: Ticket, key: str, progress: Progress, work: Callable[[_Run], Heap]) -> HeapView:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            run = self._runs.get(key)
            if run is None:
                run = self._runs[key] = _Run()
                threading.Thread(target=self._work, args=(key, run, work), daemon=True, name="heap").start()
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

    def _work(self, key: str, run: _Run, work: Callable[[_Run], Heap]) -> None:
        try:
            heap = work(run)
            run.progress.at(f"looking for leaks among {heap.objects:,} objects")
            run.view = view_heap(heap)
        except ReliveError as error:  # trying again would not help
            run.view = HeapView(reason=error.message, next_command=error.hint)
        except Exception as error:  # it is raised again by those who wait
            run.error = error
        with self._lock:
            del self._runs[key]
            if run.view is not None:
                self._kept[key] = run.view
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        run.done.set()

    def _heap(
        self,
        run: _Run,
        key: HeapKey,
        objects: int,
        data: bytes,
        arguments: Sequence[str],
        here: Callable[[], Heap],
    ) -> Heap:
        """From the cache, else analysed into it; `here`: in this process, if it cannot be written."""
        from relive_views.heaps import HeapCache

        cache = HeapCache(self._folder)
        heap = cache.load(key)
        if heap is None:
            self._analyse(run, objects, data, arguments)
            heap = cache.load(key)
        return heap if heap is not None else here()

    def _analyse(self, run: _Run, objects: int, data: bytes, arguments: Sequence[str]) -> None:
        expected_s = max(objects * NS_PER_OBJECT / 1e9, 0.5)
        begun_s = time.monotonic()

        def stopped() -> bool:
            share = min((time.monotonic() - begun_s) / expected_s, 0.99)
            run.progress.at(f"analysing {objects:,} objects, about {expected_s:.0f} s", share)
            return not run.wanted

        with _process(["analyse", str(self._folder), *arguments], data) as (process, _output):
            _wait(process, stopped)


def _objects_of(scene: SceneFile) -> int:
    """How many the snapshot says that it has; for the progress bar, so 0 if that cannot be read."""
    try:
        meta = json.loads(scene.member("heap/meta.json"))
    except (ReliveError, ValueError, RecursionError):
        return 0
    return number_in(meta, "objects") if isinstance(meta, dict) else 0


def _without_heap(scene: SceneFile) -> HeapView:
    part = scene.parts.get("heap")
    reason = part.reason if part is not None and part.reason else "none was taken"
    return HeapView(reason=reason, next_command=f"relive failure {scene.invocation_id}")


@contextlib.contextmanager
def _process(arguments: list[str], data: bytes) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """relive_tui.heap.process at work on `data`, and what it writes; it is gone afterwards."""
    command = [sys.executable, "-P", "-m", "relive_tui.heap.process", *arguments]
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE) as process,
    ):
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(data)
                process.stdin.close()
            yield process, output
        finally:
            if process.poll() is None:
                process.kill()


def _wait(process: subprocess.Popen[bytes], stopped: Callable[[], bool]) -> None:
    """Until the process has ended well. Raises Cancelled, ReliveError."""
    end_s = time.monotonic() + LIMIT_S
    while process.poll() is None:
        if stopped():
            raise Cancelled
        if time.monotonic() > end_s:
            raise ReliveError(f"the work on the heap took over {LIMIT_S:.0f} s")
        time.sleep(POLL_S)
    if process.returncode:
        assert process.stderr is not None
        why = process.stderr.read(2_000).decode("utf-8", "replace").strip()
        raise ReliveError(why or f"the work on the heap ended with status {process.returncode}")
