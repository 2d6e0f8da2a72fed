"""Tasks of trio and greenlets (gevent's too): where each of them waits. Nothing is imported for it, and none
of the user's code is called."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from itertools import islice
from types import BuiltinFunctionType
from typing import Any, Final, NamedTuple

from relive_capture.record.inspection import class_dict, instance_dict, named_entry, type_name

__all__ = ["Foreign", "any_foreign", "foreign_tasks"]

_MAX_OBJECTS: Final = 2_000_000  # that are looked through for greenlets
_MAX_FOUND: Final = 1_000
_MAX_NAME: Final = 100
_USERS: Final = ("gevent", "eventlet")


class Foreign(NamedTuple):
    """One of them: "trio task" or "greenlet", its name, and the coroutine or frame where it stands."""

    kind: str
    name: str
    at: Any


def any_foreign() -> bool:
    """Whether there is one."""
    return bool(_trio_tasks()) or next(iter(_greenlets()), None) is not None


def foreign_tasks() -> list[Foreign]:
    """All that have not ended."""
    return [*_trio(), *_greenlets()]


def _trio_tasks() -> Iterable[Any]:
    """Of the trio.run that this thread is in."""
    module = sys.modules.get("trio._core._run")
    context = None if module is None else vars(module).get("GLOBAL_RUN_CONTEXT")
    runner = getattr(context, "runner", None)
    tasks = getattr(runner, "tasks", None)
    return list(tasks) if type(tasks) is set else []


def _trio() -> Iterable[Foreign]:
    for task in _trio_tasks():
        name = getattr(task, "name", None)
        coroutine = getattr(task, "coro", None)
        # trio's own: the run's first task, and what takes calls from other threads
        if coroutine is not None and not str(name).startswith(("<init>", "<TrioToken")):
            yield Foreign("trio task", name[:_MAX_NAME] if type(name) is str else "?", coroutine)


def _greenlet() -> Any:
    """The C type, if it is loaded and not for SQLAlchemy alone: to look for greenlets takes a while."""
    module = sys.modules.get("greenlet._greenlet")
    if module is None or ("sqlalchemy" in sys.modules and not any(name in sys.modules for name in _USERS)):
        return None
    known = instance_dict(module) or {}
    users = known.get("get_total_main_greenlets")  # threads that have ever used one
    if type(users) is BuiltinFunctionType and not users():
        return None
    found = known.get("greenlet")
    return found if issubclass(type(found), type) else None


def _kinds(base: Any) -> set[int]:
    """The ids of `base` and of the classes below it. By id: a metaclass may have methods of its own."""
    found, pending = {id(base)}, [base]
    while pending and len(found) < _MAX_FOUND:
        below = type.__subclasses__(pending.pop())
        pending += [cls for cls in below if id(cls) not in found]
        found.update(map(id, below))
    return found


def _greenlets() -> Iterable[Foreign]:
    base = _greenlet()
    if base is None:
        return
    frame_of = class_dict(base)["gr_frame"].__get__
    kinds = _kinds(base)
    objects = gc.get_objects()
    if kinds.isdisjoint(map(id, map(type, objects))):  # in C throughout: there may be millions
        return
    found = [one for one in islice(objects, _MAX_OBJECTS) if id(type(one)) in kinds]
    for one in found[:_MAX_FOUND]:
        frame = frame_of(one)
        if frame is not None:  # it has begun and waits
            own = named_entry(instance_dict(one), "name")
            yield Foreign("greenlet", own[:_MAX_NAME] if type(own) is str else type_name(type(one)), frame)
