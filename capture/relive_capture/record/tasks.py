"""Tasks of asyncio: where each of them waits. Read through the C types' own descriptors, calling nothing of
the user's."""

from __future__ import annotations

import gc
import sys
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

from relive_base.code_lines import frame_line

from relive_capture.model import TaskView
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.frames import FrameRecorder, RawFrame, Stack
from relive_capture.record.inspection import class_dict, mro, type_name

__all__ = ["any_tasks", "tasks"]

_ALWAYS: Final = 20
_MAX_AWAITS: Final = 200
_STATES: Final = {"PENDING": "pending", "FINISHED": "finished", "CANCELLED": "cancelled"}
_SUSPENDED: Final = (  # type, where its frame is, where what it waits for
    (CoroutineType, "cr_frame", "cr_await"),
    (GeneratorType, "gi_frame", "gi_yieldfrom"),
    (AsyncGeneratorType, "ag_frame", "ag_await"),
)
# What stands between a coroutine and the generator it draws from: nothing but the collector shows what it
# holds.
_STEPS: Final = ("async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper")


def any_tasks() -> bool:
    """Whether there is a task that has not ended."""
    fields = _task_fields()
    return any(fields["_state"].__get__(task) == "PENDING" for task in _found())


def tasks(budget: Budget, meter: Meter, recorder: FrameRecorder) -> tuple[list[TaskView], int]:
    """(tasks of every event loop of the process, pending ones first; how many were left out)."""
    found = _found()
    fields = _task_fields()
    found.sort(key=lambda task: fields["_state"].__get__(task) != "PENDING")
    views: list[TaskView] = []
    for number, task in enumerate(found[: budget.tasks]):
        if number >= _ALWAYS and meter.out_of_time():
            break
        views.append(_view(task, fields, number, budget, recorder))
    return views, len(found) - len(views)


def _found() -> list[Any]:
    """Tasks of the C type or of a subclass."""
    module: Any = sys.modules.get("asyncio.tasks")
    base = getattr(sys.modules.get("_asyncio"), "Task", None)
    if module is None or base is None:
        return []
    known: dict[int, Any] = {}
    for name in ("_all_tasks", "_scheduled_tasks"):  # Python 3.11; from 3.12 on
        registry = vars(module).get(name)
        references = list(registry.data) if registry is not None else []
        for task in [reference() for reference in references] + list(vars(module).get("_eager_tasks") or ()):
            if task is not None and any(known_type is base for known_type in mro(type(task))):
                known[id(task)] = task
    return list(known.values())


def _task_fields() -> Any:
    """The C type's own namespace: a subclass of the user's may have overridden anything."""
    base = getattr(sys.modules.get("_asyncio"), "Task", None)
    return class_dict(base) if base is not None else {}


def _view(task: Any, fields: Any, number: int, budget: Budget, recorder: FrameRecorder) -> TaskView:
    error = fields["_exception"].__get__(task)  # reading it does not count as having retrieved it
    name = fields["get_name"](task)
    raw, awaits = _stack(fields["get_coro"](task), budget.thread_frames)
    heads = [recorder.head(one) for one in raw]
    recorder.fill_own([Stack(heads, raw, f"tasks[{number}]")])
    return TaskView(
        name=name[:100] if type(name) is str else "?",
        state="failed" if error is not None else _STATES.get(fields["_state"].__get__(task), "?"),
        awaits=awaits,
        error="" if error is None else type_name(type(error)),
        frames=heads,
    )


def _stack(coroutine: Any, limit: int) -> tuple[list[RawFrame], str]:
    """(frames, outermost first; the type of what the innermost one awaits)."""
    found: list[RawFrame] = []
    current = coroutine
    for _ in range(_MAX_AWAITS):
        names = _suspended(current)
        if names is None:
            current = _behind(current)
            names = _suspended(current)
            if names is None:
                break
        frame = getattr(current, names[0])
        if frame is None:
            return found[-limit:], ""
        found.append(RawFrame(frame, frame.f_lasti, frame_line(frame)))
        current = getattr(current, names[1])
    return found[-limit:], "" if current is None else type_name(type(current))


def _suspended(value: Any) -> tuple[str, str] | None:
    kind = type(value)
    return next(((frame, awaited) for known, frame, awaited in _SUSPENDED if kind is known), None)


def _behind(step: Any) -> Any:
    """The generator that a step of it belongs to; anything else as it is."""
    if type_name(type(step)) not in _STEPS:
        return step
    return next((held for held in gc.get_referents(step) if _suspended(held)), step)
