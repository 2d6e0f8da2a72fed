"""What the pages show, read from a home. One request reads at a time: stores have one connection."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from relive_base.errors import NotFound, UsageError
from relive_platform.names import unknown_name
from relive_views.failures import FailureFilter, FailureView, GroupView, failure_groups, failures
from relive_views.health.functions import FunctionHealth, function_health
from relive_views.naming import LAST, Finder

if TYPE_CHECKING:
    from relive_store import Store
    from relive_views.heaps import Heap
    from relive_views.profiles.trees import FlameTree
    from relive_views.records import InvocationRow, LogRow, SpanRow
    from relive_views.scenes.model import SceneView

__all__ = ["Reader"]

DAY_NS: Final = 86_400_000_000_000
SPANS: Final = 20_000
_LOGS: Final = 1_000
_TRACE: Final = re.compile(r"[0-9a-f]{32}")


class OpenStore(Protocol):
    """Gives the store that is open, or opens it. `anew`: the one that was open is of no use any more."""

    def __call__(self, *, anew: bool) -> Store: ...


class Reader:
    """Thread-safe. Methods raise ReliveError. `names`: functions in service."""

    def __init__(
        self,
        store: OpenStore,
        scenes_dir: Path,
        names: Callable[[], set[str]] = set,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._open = store
        self._scenes_dir = scenes_dir
        self._names = names
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._lost = False

    @contextmanager
    def _store(self) -> Iterator[Store]:
        with self._lock:
            anew, self._lost = self._lost, True
            try:
                yield self._open(anew=anew)
                self._lost = False
            except (NotFound, UsageError):
                self._lost = False  # it has answered
                raise

    def now_ns(self) -> int:
        """Since the epoch."""
        return self._clock_ns()

    def check_function(self, name: str) -> None:
        """Raises NotFound if none of this name is in service or recorded."""
        with self._store():
            known = self._names()
        if name not in known:
            raise unknown_name(NotFound, "function", name, known, "relive functions")

    def groups(self, function: str, since_ns: int, limit: int) -> list[GroupView]:
        """Failures as groups, the newest first."""
        with self._store() as store:
            wanted = FailureFilter(function=function, since_ns=since_ns)
            return failure_groups(store, wanted, limit).rows

    def failures(self, function: str, since_ns: int, fingerprint: str, limit: int) -> list[FailureView]:
        """One by one, the newest first."""
        with self._store() as store:
            wanted = FailureFilter(function=function, since_ns=since_ns, fingerprint=fingerprint)
            return failures(store, wanted, limit).rows

    def scene(self, ident: str, attempt: int) -> SceneView:
        """Of a failure by its id, the beginning of one, a function's name or "last"."""
        from relive_capture.explore import scenes
        from relive_views.scenes.reading import scene_view

        with self._store() as store:
            found = Finder(store, self._names).failure(ident).ident
            return scene_view(scenes.load(store, self._scenes_dir, found, attempt))

    def heap(self, ident: str) -> tuple[SceneView, Heap]:
        """Of a failure's scene."""
        from relive_capture.explore import scenes
        from relive_views.heaps import cache_of, open_heap
        from relive_views.scenes.reading import scene_view

        with self._store() as store:
            scene = scenes.load(store, self._scenes_dir, Finder(store, self._names).failure(ident).ident)
            if not scene.has_heap:
                part = scene.parts.get("heap")
                raise NotFound(
                    f"the scene of {scene.invocation_id} has no heap:"
                    f" {part.reason if part is not None and part.reason else 'none was taken'}"
                )
            return scene_view(scene), open_heap(scene, cache_of(self._scenes_dir))

    def trace(self, ident: str) -> tuple[str, list[SpanRow], list[LogRow], str]:
        """(trace id, at most 20,000 spans, log lines, what was not kept)."""
        from relive_tracer.explore import dropped, logs, traces

        with self._store() as store:
            whole = bool(_TRACE.fullmatch(ident.lower()))
            trace_id = ident.lower() if whole else Finder(store, self._names).trace(ident)
            spans = traces.trace(store, trace_id, SPANS)
            lines = logs.page(store, logs.LogFilter(trace_id=trace_id), limit=_LOGS)
            missing = dropped.unkept(store, trace_id)
        told = ". ".join(filter(None, (missing.left_out_text, missing.dropped_text)))
        return trace_id, spans, lines, told

    def flame(self, subject: str) -> FlameTree:
        """Of an invocation by its id, else of a function's last day."""
        from relive_profiler.explore import flame
        from relive_views.profiles.hot import HotFilter

        with self._store() as store:
            known = self._names() if subject != LAST else set()
            if subject in known or not (subject == LAST or _looks_like_id(subject)):
                if subject not in known:
                    raise unknown_name(NotFound, "function", subject, known, "relive functions")
                return flame.flame(
                    store, HotFilter(function=subject, since_ns=max(self._clock_ns() - DAY_NS, 0))
                )
            found = Finder(store, self._names).invocation(subject).ident
            return flame.flame(store, HotFilter(invocation_ids=(found,)))

    def invocations(self, function: str, status: str, since_ns: int, limit: int) -> list[InvocationRow]:
        """Newest first."""
        from relive_tracer.explore import invocations

        with self._store() as store:
            wanted = invocations.InvocationFilter(
                function=function, since_ns=since_ns, statuses=(status,) if status else ()
            )
            return invocations.page(store, wanted, limit=limit)

    def health(self, since_ns: int, function: str = "") -> list[FunctionHealth]:
        """Of each function, in 60 buckets."""
        with self._store() as store:
            return function_health(store, since_ns, self._clock_ns(), function=function, points=60)


def _looks_like_id(text: str) -> bool:
    plain = text.replace("-", "")
    return len(plain) >= 6 and all(char in "0123456789abcdef" for char in plain)
