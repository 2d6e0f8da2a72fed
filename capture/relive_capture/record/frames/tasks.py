"""Tasks of asyncio and trio, greenlets: where each of them waits. Read through the C types' own descriptors;
the message of one that has failed is all that may run code of the user's."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

from relive_base.code_lines import frame_line

from relive_capture.model import FrameView, TaskView
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.frames.foreign_tasks import Foreign, any_foreign, foreign_tasks
from relive_capture.record.frames.frames import FrameRecorder, RawFrame, Stack, raw_frames, raw_stack
from relive_capture.record.inspection import class_dict, mro, type_name

__all__ = ["any_tasks", "suspended_frames", "tasks"]

_ALWAYS: Final = 20
_traceback: Callable[[BaseException], Any] = class_dict(BaseException)["__traceback__"].__get__
_ENDED: Final = 2
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


def any_tasks(known: Callable[[BaseException], bool]) -> bool:
    """Whether there is a task that has not ended, or has failed unseen. `known`: with an error that the scene
    is of, so that the task is none of its own."""
    fields = _task_fields()
    return any_foreign() or any(_rank(task, fields) < _ENDED for task in _others(fields, known))


def tasks(
    budget: Budget,
    meter: Meter,
    recorder: FrameRecorder,
    known: Callable[[BaseException], bool],
    message: Callable[[BaseException], str],
) -> tuple[list[TaskView], int]:
    """(tasks of every event loop of the process, those that failed unseen first, then pending ones; how many
    were left out). `known` as above; `message` gives what Python prints of an exception."""
    fields = _task_fields()
    found = sorted(_others(fields, known), key=lambda task: _rank(task, fields))
    makers = [partial(_view, task, fields, budget, recorder, message) for task in found]
    makers += [partial(_foreign_view, one, budget, recorder) for one in foreign_tasks()]
    views: list[TaskView] = []
    for number, make in enumerate(makers[: budget.tasks]):
        if number >= _ALWAYS and meter.out_of_time():
            break
        views.append(make(f"tasks[{number}]"))
    return views, len(makers) - len(views)


def _others(fields: Any, known: Callable[[BaseException], bool]) -> list[Any]:
    errors = [(task, fields["_exception"].__get__(task)) for task in _found()]
    return [task for task, error in errors if error is None or not known(error)]


def _unseen(task: Any, fields: Any) -> bool:
    """Whether it has failed, and nobody has asked for its exception."""
    return fields["_exception"].__get__(task) is not None and bool(fields["_log_traceback"].__get__(task))


def _rank(task: Any, fields: Any) -> int:
    if _unseen(task, fields):
        return 0
    return 1 if fields["_state"].__get__(task) == "PENDING" else _ENDED


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


def _view(
    task: Any,
    fields: Any,
    budget: Budget,
    recorder: FrameRecorder,
    message: Callable[[BaseException], str],
    path: str,
) -> TaskView:
    error = fields["_exception"].__get__(task)  # reading it does not count as having retrieved it
    name = fields["get_name"](task)
    if error is None:
        raw, awaits = _stack(fields["get_coro"](task), budget.thread_frames)
    else:
        raw, awaits = raw_frames(_traceback(error))[-budget.thread_frames :], ""
    view = TaskView(
        name=name[:100] if type(name) is str else "?",
        state="failed" if error is not None else _STATES.get(fields["_state"].__get__(task), "?"),
        awaits=awaits,
        error="" if error is None else type_name(type(error)),
        frames=_filled(raw, recorder, path),
    )
    if error is not None:
        view.message, view.unseen = message(error), _unseen(task, fields)
    return view


def _foreign_view(one: Foreign, budget: Budget, recorder: FrameRecorder, path: str) -> TaskView:
    if type(one.at) is FrameType:
        raw, awaits = raw_stack(one.at, budget.thread_frames), ""
    else:
        raw, awaits = _stack(one.at, budget.thread_frames)
    frames = _filled(raw, recorder, path)
    return TaskView(name=one.name, state="pending", awaits=awaits, frames=frames, kind=one.kind)


def _filled(raw: list[RawFrame], recorder: FrameRecorder, path: str) -> list[FrameView]:
    heads = [recorder.head(one) for one in raw]
    recorder.fill_own([Stack(heads, raw, path)])
    return heads


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


def suspended_frames(coroutine: Any, limit: int = _MAX_AWAITS) -> list[FrameType]:
    """The frames in which a coroutine waits, innermost first. Runs no code of the user's."""
    found: list[FrameType] = []
    current = coroutine
    for _ in range(limit):
        names = _suspended(current)
        if names is None:
            current = _behind(current)
            names = _suspended(current)
            if names is None:
                break
        frame = getattr(current, names[0])
        if frame is None:
            break
        found.append(frame)
        current = getattr(current, names[1])
    found.reverse()
    return found


def _suspended(value: Any) -> tuple[str, str] | None:
    kind = type(value)
    return next(((frame, awaited) for known, frame, awaited in _SUSPENDED if kind is known), None)


def _behind(step: Any) -> Any:
    """The generator that a step of it belongs to; anything else as it is."""
    if type_name(type(step)) not in _STEPS:
        return step
    return next((held for held in gc.get_referents(step) if _suspended(held)), step)
