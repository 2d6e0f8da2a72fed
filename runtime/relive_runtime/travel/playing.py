"""One run of a session, in a process of its own: up to a step, for somebody who looks around there; or to
its end,
for what can be seen on the way."""

from __future__ import annotations

import ast
import os
import signal
import sys
from array import array
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, NoReturn

from relive_capture.record.playback.virtual_clock import VirtualClock
from relive_runtime.isolation.limits import make_room_for_files
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.recorder import Recorder
from relive_runtime.travel.causes.why import explained
from relive_runtime.travel.endings import endings
from relive_runtime.travel.messages import (
    Answered,
    Arrived,
    Complete,
    Goes,
    Line,
    Offer,
    Prompt,
    Ran,
    Text,
    Trailed,
)
from relive_runtime.travel.origins import Why
from relive_runtime.travel.pipe import Closed, Pipe
from relive_runtime.travel.stem import Child
from relive_runtime.travel.tracing import ROOM, TICK, Tracer
from relive_runtime.travel.trail import Trail
from relive_runtime.travel.watch import Watch
from relive_runtime.travel.watching import Watching
from relive_runtime.worker.start.namesakes import originals

__all__ = ["PipeLink", "Run"]

_RUN_S: Final = 300
"""A run that has not come to its step by then ends; whoever looks around there has all the time there is."""
_STEPS: Final = 5_000_000
_Own = Callable[[str], bool]
"""Whether a file is of the application."""
_Shown = Callable[[str], str]
"""How frames name it."""


class PipeLink:
    """A debugger's way to the session; see relive_runtime.debugger.link.DebugLink."""

    def __init__(self, pipe: Pipe) -> None:
        self.completer: Callable[[str], tuple[int, list[str]]] | None = None
        self._pipe = pipe

    def write(self, text: str) -> None:
        self._pipe.send(Text(text.encode("utf-8", "backslashreplace").decode()))

    def read_line(self) -> str | None:
        self._pipe.send(Prompt())
        while True:
            message, _ = self._pipe.receive(Line | Complete)
            if isinstance(message, Line):
                return message.text
            start, items = 0, list[str]()
            try:
                if self.completer is not None:
                    start, items = self.completer(message.text)
            except Exception:
                items = []
            self._pipe.send(Offer(start, items))


class Run:
    """What a forked process does."""

    def __init__(
        self,
        child: Child,
        clock: VirtualClock,
        own: _Own,
        shown: _Shown,
        tracer: Tracer,
        trail: Trail,
        arrived: Callable[[], None],
        noticed: Callable[[], BaseException | None] | None = None,
    ) -> None:
        """`trail`: as far as it had gone by then. `arrived` is called once it stands at the step that it was
        to come to. `noticed`: what a framework has caught, if nothing is raised to the handler's end."""
        signal.signal(signal.SIGINT, self._interrupted)  # the way to the step takes as long as it takes
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_RUN_S)
        order, self._pipe, self._pid = child.order, child.pipe, child.pid
        self._own, self._shown = own, shown
        self._tracer = tracer
        self._trail = trail
        self._watch = Watch(order.watch, order.by_value)
        self._order = order
        self._journal = Journal(order.since)
        self._tick = clock.tick
        self._arrived = arrived
        self._noticed = noticed

    def begin(self, frame: FrameType | None) -> None:
        """Right before the handler is called; or at a frame whose step is the last one of the trail."""
        order, tracer, trail = self._order, self._tracer, self._trail
        if order.explain:
            recorder = Recorder(self._journal, order.until, self._own, self._tick, self.end)
            if order.watch:
                asked = ast.parse("".join(order.watch), mode="eval").body
                recorder.ask(order.until if order.until >= 0 else order.stop, order.frame, asked)
            recorder.listen()
            tracer.recording(recorder)
        elif order.stop >= 0:
            if frame is not None and order.stop == len(trail) - 1:
                self._stop(frame)
            tracer.stopping(order.stop, self._tick, self._stop)
        elif order.frame >= 0:
            tracer.watching(Watching(order.frame, order.until, trail, self._watch.look, self.end), self._tick)
        elif order.frames:
            tracer.returning(order.frames, self._tick, self._watch.note)
        elif frame is None:
            tracer.trailing(self._look)

    def _look(self, _frame: FrameType) -> int:
        trail = self._trail
        if len(trail) > _STEPS:
            trail.steps.pop()
        elif len(trail) % TICK == 0:
            self._tick()
        return min(len(trail) // TICK * TICK + TICK, _STEPS + 1)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> NoReturn:
        _leave(self._pipe, Ran(-1))

    def end(self) -> NoReturn:
        """The run is over, with a failure as a rule, or has seen all that it was to see. Does not return."""
        steps = self._tracer.steps()
        self._tracer.off()
        order = self._order
        if order.explain:
            _leave(self._pipe, self._explained())
        if order.stop >= 0:
            _leave(self._pipe, Ran(steps))
        if order.frame >= 0 or order.frames:
            seen = self._watch.result()
            seen.steps = steps
            _leave(self._pipe, seen)
        _leave(self._pipe, _trailed(self._trail))

    def _explained(self) -> Why:
        order, journal = self._order, self._journal
        make_room_for_files()
        error = self._failure() if order.until < 0 else None
        at = order.until if order.until >= 0 else order.stop
        try:
            with originals():
                found = explained(journal, error, "".join(order.watch), at, order.frame, self._own)
        except Exception as problem:  # the user's objects are odd in ways that nobody has thought of
            note = f"the way back could not be followed: {type(problem).__name__}: {problem}"[:500]
            found = Why(max(order.until, len(journal) - 1), note=note)
        found.went = array("Q", journal.steps).tobytes()
        found.ended = endings(error, self._own) if error is not None else []
        return found

    def _failure(self) -> BaseException | None:
        """As the first run has it: what is raised, or else what a framework has answered for."""
        error = sys.exc_info()[1]
        return self._noticed() if error is None and self._noticed is not None else error

    def _stop(self, frame: FrameType) -> NoReturn:
        """Be there for as long as somebody looks around."""
        # From now on one is for a command: before the debugger is there, it is for nothing
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.setrecursionlimit(sys.getrecursionlimit() + ROOM)
        make_room_for_files()
        self._tracer.off()
        self._arrived()
        signal.alarm(0)
        pipe = self._pipe
        try:
            pipe.send(Arrived(self._pid, frame.f_lineno, frame.f_code.co_filename))
            goes = _converse(frame, self._order.stop, pipe, self._own, self._shown)
        except Closed:
            os._exit(1)
        except BaseException as problem:
            _leave(pipe, Text(f"*** the debugger failed: {type(problem).__name__}: {problem}\n"[:500]))
        _leave(pipe, goes)


def _trailed(trail: Trail) -> Trailed:
    return Trailed(array("Q", trail.steps).tobytes(), [code.co_filename for code in trail.codes])


def _leave(pipe: Pipe, message: Any) -> NoReturn:
    try:
        pipe.send(message)
    except Closed:
        os._exit(1)
    os._exit(0)


def _converse(frame: FrameType, step: int, pipe: Pipe, own: _Own, shown: _Shown) -> Goes:
    from relive_runtime.debugger.interrupts import Interrupts
    from relive_runtime.debugger.standard import standard_library
    from relive_runtime.debugger.streams import SessionStreams

    with originals(), standard_library():
        from relive_runtime.travel.travel_pdb import TravelPdb
    link = PipeLink(pipe)

    def ask(goes: Goes) -> None:
        pipe.send(goes)
        pipe.receive(Answered)

    with Interrupts() as interrupts:
        with originals():
            debugger = TravelPdb(
                frame, SessionStreams(link, interrupts), interrupts, own, f"(step {step}) ", ask, shown
            )
        link.completer = debugger.complete_line
        debugger.converse()
    return debugger.goes
