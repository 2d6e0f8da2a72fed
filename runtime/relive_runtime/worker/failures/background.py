"""Failures that reach no caller: of threads, and of asyncio tasks that nobody awaits."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from relive_base.attributes import Attributes
from relive_base.escapes import encodable
from relive_base.parts import ok
from relive_base.wire.messages import FunctionSpec, Scene
from relive_tracer.record import Telemetry

from relive_runtime.worker.failures.capturing import capture_failure
from relive_runtime.worker.start.namesakes import originals

if TYPE_CHECKING:
    from contextvars import Context

__all__ = ["Background"]

_InvokeHook = Callable[[Any], None]
_HandleContext = Callable[[Any, dict[str, Any]], None]
_KEPT: Final = 4
_ANONYMOUS: Final = "?"


class Background:
    """One per worker. Records each such failure where it happens, before the user's own hooks see it.

    The hooks of Python (`threading.excepthook`, a loop's exception handler) stay the user's to set: what
    calls them is wrapped, so that they run, and print, as ever.
    """

    def __init__(self, spec: FunctionSpec, telemetry: Telemetry, *, apart: bool = False) -> None:
        """`apart`: invocations run beside each other, and a failure is of the one whose code it is."""
        self.fresh = False
        """Whether something failed since the last `scene` or `add_to`."""
        self._spec = spec
        self._telemetry = telemetry
        self._pid = os.getpid()
        self._kept: deque[tuple[Scene, dict[str, Any]]] = deque(maxlen=_KEPT)
        self._undo: list[Callable[[], None]] = []
        self._apart = apart

    def install(self) -> None:
        """Wrap what Python calls for such failures. Never raises: without it they are on stderr alone."""
        import asyncio.base_events  # here: the zygote has imported it

        self._wrap(threading, "_make_invoke_excepthook", self._thread_hook)
        self._wrap(asyncio.base_events.BaseEventLoop, "call_exception_handler", self._loop_hook)

    def uninstall(self) -> None:
        """Undo `install`, for tests."""
        while self._undo:
            self._undo.pop()()

    def scene(self, invocation_id: str) -> Scene:
        """The scene of an invocation that succeeded in spite of them: of the first one that failed in it."""
        of_this = [scene for scene, _ in self._kept if scene.invocation_id == invocation_id]
        scene = of_this[0] if of_this else self._kept[-1][0]
        scene.invocation_id = invocation_id
        self.add_to(scene)
        return scene

    def add_to(self, scene: Scene) -> None:
        """Put what has failed unseen, in this process so far, into the scene of a failure: what the scene is
        of first, then in the order in which it happened."""
        self.fresh = False
        if self._kept:
            views = [view for _, view in sorted(self._kept, key=lambda one: one[0] is not scene)]
            scene.members["background.json"] = msgspec.json.encode(views)
            scene.parts["background"] = ok()
            places = [path for kept, _ in self._kept for path in kept.redactions]
            # Each once, and a list of its own: `scene` may be one of those that are kept, and a worker
            # in which something fails at each invocation would double them each time.
            scene.redactions = list(dict.fromkeys(scene.redactions + places))

    def note(self, origin: str, name: str, error: BaseException) -> None:
        """What failed where no hook hears of it. Never raises."""
        self._note(origin, name, error, say=True)

    def scene_of(self, invocation_id: str) -> Scene | None:
        """As `scene`, if several run beside each other: None if nothing of this one has failed."""
        return next((one for one, _ in self._kept if one.invocation_id == invocation_id), None)

    def add_of(self, invocation_id: str, scene: Scene) -> None:
        """As `add_to`, if several run beside each other: what has failed of this one, which is forgotten."""
        mine = [one for one in self._kept if one[0].invocation_id == invocation_id]
        for one in mine:
            self._kept.remove(one)
        self.fresh = bool(self._kept)
        if mine:
            views = [view for _, view in sorted(mine, key=lambda one: one[0] is not scene)]
            scene.members["background.json"] = msgspec.json.encode(views)
            scene.parts["background"] = ok()
            places = [path for kept, _ in mine for path in kept.redactions]
            scene.redactions = list(dict.fromkeys(scene.redactions + places))

    def _wrap(self, owner: Any, name: str, made: Callable[[Any], Any]) -> None:
        original = vars(owner).get(name)
        if original is not None:
            setattr(owner, name, made(original))
            self._undo.append(lambda: setattr(owner, name, original))

    def _thread_hook(self, original: Callable[[], _InvokeHook]) -> Callable[[], _InvokeHook]:
        """Each thread makes its own caller of `threading.excepthook`: record first, then call that."""

        def make_invoke_excepthook() -> _InvokeHook:
            invoke = original()
            began_in = self._context()  # whose thread it is

            def invoke_excepthook(thread: Any) -> None:
                error = sys.exc_info()[1]
                if error is not None and not issubclass(type(error), SystemExit):
                    if began_in is not None:
                        began_in.run(self._note, "thread", _name_of(thread), error, say=True)
                    else:
                        self._note("thread", _name_of(thread), error, say=True)
                del error
                invoke(thread)

            return invoke_excepthook

        return make_invoke_excepthook

    def _context(self) -> Context | None:
        if not self._apart:
            return None
        from contextvars import copy_context  # here: no other kind needs it

        return copy_context()

    def _loop_hook(self, original: _HandleContext) -> _HandleContext:
        """The loop's own default handler logs, with the traceback; if the user has set another, we do."""

        def call_exception_handler(loop: Any, context: dict[str, Any]) -> None:
            try:
                error: Any = context.get("exception")
                if issubclass(type(error), BaseException):
                    name = _task_name(context.get("task", context.get("future")))
                    self._note("task", name, error, say=loop._exception_handler is not None)
            except Exception:
                pass  # what cannot be recorded is still the user's handler's to see
            original(loop, context)

        return call_exception_handler

    def _note(self, origin: str, name: str, error: BaseException, *, say: bool) -> None:
        if os.getpid() != self._pid:
            return  # a child that the user's code forked has nobody to tell
        try:
            happened_ns = time.time_ns()
            invocation_id = self._telemetry.invocation_id
            scene = capture_failure(error, kind="background", spec=self._spec, invocation_id=invocation_id)
            info = scene.error
            text = encodable(f"exception in {origin} {name}: {info.type}: {info.message}")
            view = {
                "origin": origin,
                "name": encodable(name),
                "happened_ns": happened_ns,
                "invocation_id": invocation_id,
                "message": text[:2_000],
                "exceptions": msgspec.Raw(scene.members.get("exception.json", b"[]")),
            }
            self._kept.append((scene, view))
            self.fresh = True
            if say:
                self._telemetry.error(text, _attributes(scene, origin, name))
        except Exception:
            return  # the hooks of Python say what there is to say


def _attributes(scene: Scene, origin: str, name: str) -> Attributes:
    info = scene.error
    return {
        "exception.type": info.type,
        "exception.message": info.message,
        "exception.stacktrace": info.traceback,
        f"{origin}.name": encodable(name),
    }


# Neither calls a method of a subclass of the user's.


def _name_of(thread: Any) -> str:
    name = object.__getattribute__(thread, "__dict__").get("_name")
    return name[:100] if type(name) is str else _ANONYMOUS


def _task_name(task: Any) -> str:
    with originals():
        from asyncio import Task

    if not issubclass(type(task), Task):
        return _ANONYMOUS
    name = Task.get_name(task)
    return name[:100] if type(name) is str else _ANONYMOUS
