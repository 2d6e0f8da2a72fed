"""Whose code runs where: on the main thread, in other threads, in tasks that wait."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context
from types import FrameType
from typing import Any, Final

from relive_base.frame_locals import locals_of
from relive_base.kept_builtins import KEPT
from relive_capture.record import suspended_frames
from relive_profiler.record import Look, thread_cpu_ns
from relive_tracer.record import InvocationState, Telemetry

from relive_runtime.worker.beside.attempt import BesideAttempt

__builtins__ = KEPT

__all__ = ["Whereabouts"]

_OUTERMOST: Final = 8
_TASKS: Final = 500
_LOCKS_FILE: Final = "/threading.py"
_QUEUE_FILES: Final = ("/queue.py", "/multiprocessing/pool.py")
_YOUNG_NS: Final = 20_000_000
"""An attempt that has run for less is not looked at as one that waits. From 4 ms on, what is told of requests
that only wait 12 ms took 12 % more of all CPU than no profiles at all, with this 5 %."""


class Whereabouts:
    """By contextvars: each attempt's code runs in a context of its own, and so do its tasks and the threads
    that are given a copy of it."""

    def __init__(
        self,
        attempts: Mapping[str, BesideAttempt],
        telemetry: Telemetry,
        carried: Mapping[int, InvocationState],
    ) -> None:
        """`carried`: by threads, whose code they run."""
        self._carried = carried
        self._attempts = attempts
        self._telemetry = telemetry
        self._turn = 0  # which of those that wait are looked at next

    def current(self) -> BesideAttempt | None:
        """Whose code this is."""
        state = self._telemetry.current()
        return self._attempts.get(state.invocation_id) if state is not None else None

    def _of_context(self, context: Context | None) -> BesideAttempt | None:
        if context is None:
            return None
        state = self._telemetry.current_of(context)
        return self._attempts.get(state.invocation_id) if state is not None else None

    # ------------------------------------------------------------ for the sampler

    def anybody(self) -> bool:
        """Whether any runs."""
        return bool(self._attempts)

    def running(self) -> Look | None:
        """On the main thread, whose signal handler asks."""
        attempt = self.current()
        return attempt.look if attempt is not None else None

    def threads(self) -> Iterable[tuple[Look, int, FrameType, int]]:
        """In other threads: the ident, the innermost frame, and the CPU time that the thread has used."""
        if not self._attempts or threading.active_count() == 1:
            return
        main = threading.main_thread().ident
        for ident, frame in sys._current_frames().items():
            if ident != main:
                attempt = self._of_thread(ident, frame)
                if attempt is not None and attempt.look is not None:
                    yield attempt.look, ident, frame, thread_cpu_ns(ident)

    def waiting(self, limit: int) -> Iterable[tuple[Look, Sequence[FrameType]]]:
        """Some of those that wait in a task, others at each call."""
        old_ns = time.perf_counter_ns() - _YOUNG_NS
        attempts = [one for one in list(self._attempts.values()) if one.look and one.look.begun_ns < old_ns]
        current = self.current()
        count = min(limit, len(attempts))
        self._turn += count
        for index in range(count):
            attempt = attempts[(self._turn + index) % len(attempts)]
            if attempt is current or attempt.look is None or attempt.task is None or attempt.thread:
                continue
            frames = suspended_frames(attempt.code or attempt.task.get_coro())
            if len(frames) > 1:
                yield attempt.look, frames

    def owners(self) -> Mapping[int, Look]:
        """Those that run, by the id of what our variable has for its value in their code."""
        return {
            id(one.state): one.look
            for one in list(self._attempts.values())
            if one.state and one.look is not None
        }

    # ------------------------------------------------------------ for scenes

    def frames_of(self, attempt: BesideAttempt) -> FrameType | Sequence[FrameType]:
        """Where the code of one stands that is not the current one: in a thread, else in the task that was
        made last, else in its own task."""
        thread = self._thread_of(attempt)
        if thread is not None:
            return thread
        best: Sequence[FrameType] = ()
        for task in self._tasks_of(attempt):
            own = attempt.code if task is attempt.task else None
            frames = suspended_frames(own or task.get_coro())
            if not best or (len(frames) > 1 and task is not attempt.task):
                best = frames
        return best

    def _thread_of(self, attempt: BesideAttempt) -> FrameType | None:
        main = threading.main_thread().ident
        for ident, frame in sys._current_frames().items():
            if ident != main and self._of_thread(ident, frame) is attempt:
                return frame
        return None

    def _of_thread(self, ident: int, frame: FrameType) -> BesideAttempt | None:
        for attempt in self._attempts.values():
            if attempt.thread == ident:
                return attempt
        context = _context_of(frame)
        if context is not None:  # AnyIO's threads serve others too than who has started them
            return self._of_context(context)
        state = self._carried.get(ident)
        if state is None or _waits_for_work(frame):
            return None
        return self._attempts.get(state.invocation_id)

    def _tasks_of(self, attempt: BesideAttempt) -> list[Any]:
        """Its own first, then those that its code has made, in their order."""
        own = attempt.task
        if own is None:
            return []
        asyncio = sys.modules.get("asyncio")
        found = list(asyncio.all_tasks(own.get_loop()))[:_TASKS] if asyncio is not None else []
        children = [
            task for task in found if task is not own and self._of_context(_task_context(task)) is attempt
        ]
        return [own, *sorted(children, key=lambda task: str(task.get_name()))]


def _task_context(task: Any) -> Context | None:
    get = getattr(task, "get_context", None)  # from Python 3.12 on
    if get is not None:
        context: Context | None = get()
        return context
    return next((held for held in gc.get_referents(task) if type(held) is Context), None)


def _waits_for_work(innermost: FrameType) -> bool:
    """Whether a thread stands at a queue: what it gets there may be anybody's."""
    at: FrameType | None = innermost
    while at is not None and at.f_code.co_filename.endswith(_LOCKS_FILE):
        at = at.f_back
    return at is not None and at.f_code.co_filename.endswith(_QUEUE_FILES)


def _context_of(frame: FrameType) -> Context | None:
    """The context that a thread runs something in: as AnyIO's, asgiref's and asyncio's thread pools do, which
    have it in a local, or in the call that they make."""
    outer: list[FrameType] = []
    at: FrameType | None = frame
    while at is not None:
        outer.append(at)
        at = at.f_back
    for one in outer[: -_OUTERMOST - 1 : -1]:
        if one is frame:
            break  # it calls nothing
        names = one.f_code.co_varnames
        if "context" in names:
            found = locals_of(one).get("context")
            if type(found) is Context:
                return found
        if one.f_code.co_name == "run" and "self" in names:
            call = getattr(locals_of(one).get("self"), "fn", None)
            for part in (call, getattr(call, "func", None)):
                bound = getattr(part, "__self__", None)
                if type(bound) is Context:
                    return bound
            held = getattr(call, "args", None)
            if isinstance(held, tuple) and held and type(held[0]) is Context:
                return held[0]
    return None
