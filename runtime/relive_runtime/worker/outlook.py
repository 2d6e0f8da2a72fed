"""What the sampler sees beside the main thread's stack: spans, tasks of an event loop, threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Sequence
from contextvars import Context
from types import FrameType
from typing import Any, Final

from relive_base.kept_builtins import KEPT
from relive_capture.record import suspended_frames
from relive_profiler.record import Awaiting, Outlook, native_thread
from relive_tracer.record import Telemetry

__builtins__ = KEPT

__all__ = ["WorkerOutlook"]

_TASKS: Final = 16
"""That are looked at in one go: others come in turn."""
_LOOP_FILES: Final = ("/selectors.py", "/asyncio/runners.py", "/uvloop/__init__.py")
"""Where an event loop's thread stands while it waits. Loops in C stand in who has started them."""
_RELAYS: Final = frozenset({"__aexit__", "wait_for", "wait", "_wait", "_wait_for_one"})
"""Of asyncio itself: a task that stands here waits for other tasks, which are seen by themselves."""
_GATHERING: Final = "_GatheringFuture"
_RELAY_FILES: Final = ("/asyncio/taskgroups.py", "/asyncio/tasks.py")
_IDLE_FILE: Final = "/concurrent/futures/thread.py"
_THREADS: Final = 64


class WorkerOutlook(Outlook):
    """Of invocations that run one after the other. `look_at_threads`: as the function's policy asks."""

    def __init__(self, telemetry: Telemetry, look_at_threads: bool) -> None:
        self._own_span = telemetry.own_span
        self.span = telemetry.own_span  # type: ignore[method-assign]  # one call less
        self.looks_at_threads = look_at_threads
        self._turn = 0  # which tasks come next
        self._waits: dict[int, bool] = {}  # by the id of a code: whether a loop waits there
        self._codes: list[object] = []  # keeps those alive

    def awaiting(self, frame: FrameType | None) -> Sequence[Awaiting]:
        asyncio = sys.modules.get("asyncio")
        if asyncio is None or frame is None or not self._loop_waits(frame):
            return ()
        loop = asyncio._get_running_loop()
        if loop is None or asyncio.current_task(loop) is not None:
            return ()
        tasks = [(frames, task) for task in self._some(asyncio.all_tasks(loop)) if (frames := _frames(task))]
        leaves = [one for one in tasks if not _relays(one[1], one[0][0], asyncio.Task)]
        outer = _outer(frame)
        return [
            ([*frames, *outer], self._own_span(context) if (context := _context(task)) is not None else "")
            for frames, task in leaves or tasks
        ]

    def _loop_waits(self, frame: FrameType) -> bool:
        code = frame.f_code
        known = self._waits.get(id(code))
        if known is None:
            known = code.co_filename.endswith(_LOOP_FILES)
            if len(self._codes) < 10_000:
                self._codes.append(code)
                self._waits[id(code)] = known
        return known

    def _some(self, tasks: set[Any]) -> list[Any]:
        """At most `_TASKS` of them, others each time."""
        if len(tasks) <= _TASKS:
            return list(tasks)
        ordered = sorted(tasks, key=id)
        self._turn = (self._turn + _TASKS) % len(ordered)
        return (ordered + ordered)[self._turn : self._turn + _TASKS]

    def threads(self) -> Iterable[tuple[int, FrameType | None, int]]:
        if threading.active_count() == 1:
            return
        own = threading.get_ident()
        for ident, frame in list(sys._current_frames().items())[:_THREADS]:
            native, used_ns = native_thread(ident) if ident != own else (0, 0)
            if native:
                yield native, None if _idles(frame) else frame, used_ns


def _frames(task: Any) -> list[FrameType]:
    return suspended_frames(task.get_coro())


def _relays(task: Any, innermost: FrameType, task_type: type) -> bool:
    """Whether a task waits for other tasks."""
    waiter = getattr(task, "_fut_waiter", None)
    if isinstance(waiter, task_type) or type(waiter).__name__ == _GATHERING:
        return True
    code = innermost.f_code
    return code.co_name in _RELAYS and code.co_filename.endswith(_RELAY_FILES)


def _outer(frame: FrameType) -> list[FrameType]:
    """From who has started the loop outwards."""
    at: FrameType | None = frame
    while at is not None and ("/asyncio/" in at.f_code.co_filename or at is frame):
        at = at.f_back
    found = []
    while at is not None:
        found.append(at)
        at = at.f_back
    return found


def _idles(innermost: FrameType) -> bool:
    """Whether a thread of a pool waits for work."""
    code = innermost.f_code
    return code.co_name == "_worker" and code.co_filename.endswith(_IDLE_FILE)


def _context(task: Any) -> Context | None:
    get = getattr(task, "get_context", None)  # from Python 3.12 on
    found: Context | None = get() if get is not None else None
    return found
