"""Celery: tasks, by the signals that it offers for this."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from signal import SIGTERM
from types import ModuleType, TracebackType
from typing import Any, Final

from msgspec import structs

from relive_outside.record.attempts import Attempt
from relive_outside.record.recipes import Recipe, root_of
from relive_outside.record.recorder import Recorder
from relive_outside.recording import encoded_call

__all__ = ["Tasks", "patch"]

_MOST: Final = 10_000
_ENDED: Final = SIGTERM - 256
"""With this status a process of Celery's pool exits when the pool ends it, wherever its code stands: at a
hard time limit it has a tenth of a second for that, until SIGKILL."""
_EARLY_S: Final = 0.5
"""The pool counts from somewhat before a task begins."""


def patch(recorder: Recorder, serves: Callable[[], object], module: ModuleType) -> None:
    """Of `celery.signals`. `serves`: told that tasks run in this process."""
    signals: Any = module
    tasks = Tasks(recorder, serves)
    signals.task_prerun.connect(tasks.begin, weak=False)
    signals.task_failure.connect(tasks.failed, weak=False)
    signals.task_postrun.connect(tasks.ended, weak=False)


class OverLimit(BaseException):
    """A task ran longer than its hard time limit allows. It is named as a replay names it."""

    __module__ = "builtins"
    __qualname__ = "Timeout"


class Tasks:
    """Those that run in this process, by their ids."""

    def __init__(self, recorder: Recorder, serves: Callable[[], object]) -> None:
        self._recorder = recorder
        self._serves = serves
        self._running: dict[str, Attempt] = {}
        self._recipes: dict[str, Recipe] = {}
        self._known = False

    def begin(
        self, task_id: str = "", task: Any = None, args: Any = (), kwargs: Any = None, **_: Any
    ) -> None:
        """The signal task_prerun."""
        if task is None or len(self._running) >= _MOST:
            return
        if not self._known:
            self._known = True
            self._serves()
            self._recorder.host = "celery"
            self._recorder.serves()
        data, lost = encoded_call({"args": list(args or ()), "kwargs": dict(kwargs or {})})
        headers = getattr(getattr(task, "request", None), "headers", None)
        parent = headers.get("traceparent", "") if isinstance(headers, dict) else ""
        attempt = self._recorder.begin(
            self._recipe(task), data, traceparent=parent if type(parent) is str else ""
        )
        if attempt is not None:
            attempt.event_lost = lost
            attempt.attributes["messaging.message.id"] = str(task_id)
            self._running[task_id] = attempt

    def failed(self, task_id: str = "", exception: Any = None, **_: Any) -> None:
        """The signal task_failure."""
        attempt = self._running.pop(task_id, None)
        if isinstance(exception, BaseException):
            self._recorder.failed(attempt, exception)
        else:
            self._recorder.ended(attempt)

    def ended(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        """The signal task_postrun, which comes after a failure, too, and when the pool ends the process."""
        attempt = self._running.pop(task_id, None)
        error = sys.exc_info()[1]
        if attempt is not None and type(error) is SystemExit and error.code == _ENDED:
            limit_s = _hard_limit(task)
            late = _over_limit(attempt, error, limit_s)
            if late is not None:
                attempt.recipe = structs.replace(attempt.recipe, timeout_s=float(limit_s))
                self._recorder.failed(attempt, late, "timeout")
                return
        self._recorder.ended(attempt)

    def _recipe(self, task: Any) -> Recipe:
        name = str(getattr(task, "name", "") or type(task).__name__)
        known = self._recipes.get(name)
        if known is None:
            run = getattr(task, "run", None)
            module = str(getattr(run, "__module__", "") or getattr(task, "__module__", ""))
            attribute = str(getattr(run, "__qualname__", "") or getattr(run, "__name__", ""))
            settings = self._recorder.settings
            handler = f"{module}:{attribute}" if module and "<" not in attribute else ""
            known = self._recipes[name] = Recipe(
                settings.name or name, handler, "call", settings.source or root_of(module), "celery", "queue"
            )
        return known


def _hard_limit(task: Any) -> float:
    """After so many seconds the pool ends its process; 0: never."""
    request, conf = getattr(task, "request", None), getattr(getattr(task, "app", None), "conf", None)
    given = getattr(request, "timelimit", None)
    own = given[0] if isinstance(given, (list, tuple)) and given else None
    found = own or getattr(task, "time_limit", None) or getattr(conf, "task_time_limit", None)
    return found if isinstance(found, (int, float)) else 0


def _over_limit(attempt: Attempt, error: SystemExit, limit_s: float) -> BaseException | None:
    """As if it was raised where the task stood; None: the pool has ended it for something else, such as the
    end of the worker."""
    took_s = (time.time_ns() - attempt.started_ns) / 1e9
    if not 0 < limit_s <= took_s + _EARLY_S:
        return None
    late = OverLimit(f"{attempt.recipe.name} ran longer than its {limit_s:g} s")
    return late.with_traceback(_of_task(error.__traceback__))


def _of_task(trace: TracebackType | None) -> TracebackType | None:
    """Without the frames of the pool's handler of signals; the error's own traceback stays as it is."""
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    while entries and _module(entries[-1]).startswith("billiard."):
        entries.pop()
    made = None
    for one in reversed(entries):
        made = TracebackType(made, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return made


def _module(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__"))
