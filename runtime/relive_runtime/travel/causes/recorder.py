"""What fills a journal. It numbers frames and steps as the tracer does that tells it of them."""

from __future__ import annotations

import _thread
import ast
import gc
import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from sys import getrecursionlimit, setrecursionlimit
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final

from relive_base.frame_locals import locals_of
from relive_capture.record.inspection import plain_name
from relive_capture.record.playback.leaving import goes_up, has_returned, suspends
from relive_runtime.travel.causes.journal import COMPREHENSIONS, Frame, Journal, is_inside, remembered
from relive_runtime.travel.causes.statements import Plan, reads
from relive_runtime.travel.causes.values import MISSING, defined, evaluated, own_dict
from relive_runtime.travel.trail import LINE_BITS, NOBODY

__all__ = ["Recorder"]

_INLINED: Final = sys.version_info >= (3, 12)
_TICK: Final = 1_023
_GIVEN_OUT: Final = "async_generator_wrapped_value"
"""What holds a value that an asynchronous generator gives out."""
_ROOM: Final = 300
_MODULES: Final = 200
_STARTING: Final = (
    *("_start_new_thread", "_start_joinable_thread"),
    *("start_new_thread", "start_joinable_thread"),
)
_Own = Callable[[str], bool]


class _Call:
    """A frame while it runs."""

    __slots__ = ("began", "number", "pending")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pending = NOBODY  # its step that is not over
        self.began = NOBODY  # that at which the statement began, of which `pending` may be a later round


_GONE: Final = Frame((lambda: None).__code__, NOBODY, NOBODY)


class Recorder:
    """`trace` is for sys.settrace. `over` is called before the step `until` runs; -1: never."""

    def __init__(
        self, journal: Journal, until: int, own: _Own, tick: Callable[[], None], over: Callable[[], None]
    ) -> None:
        self._journal = journal
        self._until = until
        self._own = own
        self._tick = tick
        self._over = over
        self._known: dict[CodeType, bool] = {}
        self._plans: dict[tuple[CodeType, int], Plan] = {}
        self._calls: dict[FrameType, _Call] = {}
        self._stack: list[_Call] = []
        self._step = -1
        self._asked: tuple[int, int, ast.expr] | None = None

    def ask(self, step: int, frame: int, node: ast.expr) -> None:
        """Note what an expression in a frame is when a step is about to run."""
        self._asked = step, frame, node

    def count(self) -> int:
        """How many steps there have been."""
        return self._step + 1

    def listen(self) -> None:
        """From now on note when a thread begins: its lines are none of the journal's."""
        for module in (threading, _thread):
            for name in _STARTING:
                if hasattr(module, name):
                    setattr(module, name, self._noting(getattr(module, name)))

    def _noting(self, start: Callable[..., Any]) -> Callable[..., Any]:
        journal = self._journal

        def noted(*given: Any, **named: Any) -> Any:
            journal.threads = min(journal.threads, max(self._step, 0))
            return start(*given, **named)

        return noted

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """For sys.settrace."""
        code = frame.f_code
        mine = self._known.get(code)
        if mine is None:
            mine = self._known[code] = self._own(code.co_filename)
        if not mine:
            return None
        self.entered(frame)
        return self._local

    def _local(self, frame: FrameType, event: str, argument: Any) -> Any:
        limit = getrecursionlimit()
        setrecursionlimit(limit + _ROOM)  # the user's code may be as deep as it can be
        try:
            if event == "line":
                self.line(frame)
            elif event == "return":
                self.left(frame, argument)
            elif event == "exception":
                self.raised(frame, argument[0], argument[1])
        finally:
            setrecursionlimit(limit)
        return self._local

    # ------------------------------------------------------------ for who tells of the events otherwise

    def entered(self, frame: FrameType) -> None:
        """It begins, or goes on."""
        call = self._calls.get(frame)
        if call is None:
            call = self._calls[frame] = self._entered(frame)
        self._stack.append(call)

    def line(self, frame: FrameType) -> None:
        """A line of it is about to run."""
        self._line(self._calls[frame], frame)

    def left(self, frame: FrameType, value: Any) -> None:
        """It has returned or waits, with a value, or an exception leaves it."""
        self._returned(self._calls[frame], frame, value)

    def raised(self, frame: FrameType, kind: Any, error: BaseException | None) -> None:
        """An exception is there."""
        call = self._calls.get(frame)
        if call is not None:
            self._raised(call, frame, (kind, error))

    def _entered(self, frame: FrameType) -> _Call:
        frames = self._journal.frames
        caller = self._stack[-1].number if self._stack else NOBODY
        called = self._stack[-1].pending if self._stack else NOBODY
        number = len(frames)
        frames.append(Frame(frame.f_code, caller, called, self._step + 1, frame.f_globals))
        if caller != NOBODY:
            frames[caller].children.append(number)
        return _Call(number)

    # ------------------------------------------------------------ events

    def _line(self, call: _Call, frame: FrameType) -> None:
        again = self._is_round(call, frame)
        if not again:
            self._finish(call, frame)
        self._step += 1
        step, journal = self._step, self._journal
        if not step:
            journal.look_at_first(_names(frame), self._modules(frame.f_globals))
        entry = journal.frames[call.number]
        if not entry.steps and step >= journal.start:
            for value in _names(frame).values():
                journal.look_at(value, entry.called, step - 1)
        if step & _TICK == _TICK:
            self._tick()
        call.pending = step
        if again:
            journal.rounds[step] = call.began
        else:
            call.began = step
        if step >= journal.start:
            journal.steps.append(call.number << LINE_BITS | frame.f_lineno)
            journal.frames[call.number].steps.append(step)
            journal.before.append(self._values(frame, step, again or is_inside(frame.f_code)))
            journal.after.append({})
        if self._asked is not None and step == self._asked[0]:
            self._answer(*self._asked)
        if step == self._until:
            self._over()

    def _answer(self, step: int, number: int, node: ast.expr) -> None:
        """With the step of its own that the frame is at: of a caller, that which has called."""
        journal = self._journal
        for frame, call in self._calls.items():
            if call.number == number and call.pending >= journal.start:
                names, outer = _names(frame), frame.f_globals
                for text, part in reads(node).items():
                    value = evaluated(part, names, outer)
                    remembered(journal.before[call.pending - journal.start], text, value)
                    journal.look_at(value, NOBODY if _is_older(part, names) else step - 1, step - 1)

    def _modules(self, names: dict[str, Any]) -> list[dict[str, Any]]:
        """The names of a module of the application's, and of those that it has things of, and so on."""
        found, left = list[dict[str, Any]](), [names]
        seen = {id(names)}
        while left and len(found) < _MODULES:
            names = left.pop()
            found.append(names)
            for value in list(names.values()):
                inside = own_dict(_home(value)) or names
                if id(inside) not in seen:
                    seen.add(id(inside))
                    file = inside.get("__file__")
                    if type(file) is str and self._own(file):
                        left.append(inside)
        return found

    def _values(self, frame: FrameType, step: int, inside: bool) -> dict[str, Any]:
        plan = self._plan(frame.f_code, frame.f_lineno)
        found: dict[str, Any] = {}
        names, outer = _names(frame), frame.f_globals
        for text, node in plan.reads:
            if not inside and plan.inner.get(id(node)) is False:
                continue  # a name of a comprehension's own, and not what has that name out here
            value = evaluated(node, names, outer)
            remembered(found, text, value)
            self._journal.look_at(value, NOBODY if _is_older(node, names) else step - 1, step - 1)
        return found

    def _is_round(self, call: _Call, frame: FrameType) -> bool:
        """Whether its line goes on with a comprehension of the statement that runs: no frame of its own since
        Python 3.12."""
        if not _INLINED or call.began < self._journal.start:
            return False
        now = self._plan(frame.f_code, frame.f_lineno)
        before = self._plan(frame.f_code, self._journal.line(call.pending))
        return frame.f_lineno in now.inlined and before.statement is now.statement

    def _finish(self, call: _Call, frame: FrameType) -> None:
        """Its last statement is over: what it has bound and changed. What one with a comprehension has bound
        is told of the step at which it began, and not of its last round."""
        step, last, journal = call.began, call.pending, self._journal
        call.pending = call.began = NOBODY
        if step < journal.start:
            return
        plan = self._plan(frame.f_code, journal.line(step))
        names, outer = _names(frame), frame.f_globals
        after = journal.after[step - journal.start]
        for name in plan.binds:
            value = names.get(name, MISSING)
            value = outer.get(name, MISSING) if value is MISSING else value
            remembered(after, name, value)
            journal.look_at(value, last, last)
        for text, _ in plan.reads:
            journal.look_at(journal.read(step, text), last, last)

    def _returned(self, call: _Call, frame: FrameType, value: Any) -> None:
        step, last, entry = call.began, call.pending, self._journal.frames[call.number]
        over = has_returned(frame)
        self._stack.pop()
        if over or not suspends(frame):
            self._finish(call, frame)
            del self._calls[frame]
        if over and step < self._journal.start:
            self._forget(call.number)
        if step < self._journal.start:
            return
        self._journal.look_at(value, last, last)
        if over:
            entry.result, entry.returned = value, step
        elif frame.f_code.co_flags & inspect.CO_GENERATOR:
            entry.yields.append((step, value))
        elif frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR and plain_name(type(value)) == _GIVEN_OUT:
            entry.yields += ((step, inner) for inner in gc.get_referents(value))

    def _forget(self, number: int) -> None:
        """A call that was over before the journal began: there may be millions."""
        frames = self._journal.frames
        caller = frames[number].caller
        if caller != NOBODY and frames[caller].children[-1:] == [number]:
            frames[caller].children.pop()
        frames[number] = _GONE

    def _raised(self, call: _Call, frame: FrameType, argument: Any) -> None:
        step = call.pending
        if step >= self._journal.start and goes_up(frame, argument) and argument[1] is not None:
            self._journal.raised[step] = self._journal.raised[call.began] = argument[1]
            self._at_exception(frame, step, call.began < step)

    def _at_exception(self, frame: FrameType, step: int, again: bool) -> None:
        """What a comprehension was at, and what the line itself has bound before it failed."""
        journal = self._journal
        before = journal.before[step - journal.start]
        names, outer = _names(frame), frame.f_globals
        inside = again or frame.f_code.co_name in COMPREHENSIONS
        for text, node in self._plan(frame.f_code, journal.line(step)).reads:
            if inside or text not in before:
                value = evaluated(node, names, outer)
                remembered(before, text, value)
                journal.look_at(value, step, step)

    def _plan(self, code: CodeType, line: int) -> Plan:
        found = self._plans.get((code, line))
        if found is None:
            found = self._plans[code, line] = self._journal.source(code).plan(line)
        return found


def _names(frame: FrameType) -> Mapping[str, Any]:
    """Its locals. In the body of a class they are in what a metaclass has prepared, maybe of a class of the
    user's."""
    names = locals_of(frame)
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED or type(names) is dict:
        found: Mapping[str, Any] = names
        return found
    if not issubclass(type(names), dict):
        return {}
    return {name: value for name, value in list(dict.items(names)) if type(name) is str}


def _home(value: object) -> object:
    """The module that it is, or that it or its class was made in."""
    kind = type(value)
    if issubclass(kind, ModuleType):
        return value
    if type(value) is FunctionType:
        name: object = value.__module__
    else:
        name = defined(value if type(value) is type else kind, "__module__")
    return sys.modules.get(name) if type(name) is str else None


def _is_older(node: ast.expr, names: Mapping[str, Any]) -> bool:
    """What is first seen in a global was there before: what the run puts there is seen when it does."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id not in names
