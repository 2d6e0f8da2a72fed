"""Celery: tasks, by the signals that it offers for this."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from relive_outside.record.attempts import Attempt
from relive_outside.record.recipes import Recipe, root_of
from relive_outside.record.recorder import Recorder
from relive_outside.recording import encoded_call

__all__ = ["Tasks", "patch"]

_MOST: Final = 10_000


def patch(recorder: Recorder, serves: Callable[[], object], module: ModuleType) -> None:
    """Of `celery.signals`. `serves`: told that tasks run in this process."""
    signals: Any = module
    tasks = Tasks(recorder, serves)
    signals.task_prerun.connect(tasks.begin, weak=False)
    signals.task_failure.connect(tasks.failed, weak=False)
    signals.task_postrun.connect(tasks.ended, weak=False)


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

    def ended(self, task_id: str = "", **_: Any) -> None:
        """The signal task_postrun, which comes after a failure, too."""
        self._recorder.ended(self._running.pop(task_id, None))

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
