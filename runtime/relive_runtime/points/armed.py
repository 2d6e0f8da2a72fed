"""The points of one worker: what it does when a line is passed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

from relive_base.attributes import Attributes
from relive_base.wire.messages import Point, PointHit, Statement
from relive_base.wire.sink import FrameSink
from relive_tracer.record import Telemetry, of_signal_handler

from relive_runtime.points.expressions import Condition, LogText
from relive_runtime.points.lines import CannotWatch, Lines, watched_lines
from relive_runtime.worker.calling import Caller
from relive_runtime.worker.channel import Channel, ChannelClosed
from relive_runtime.worker.limits.deadline import HandlerTimeout

__all__ = ["Armed"]

_ANSWER_S: Final = 1.0
"""A hit of which the server does not say in this time whether it is meant passes, and that is said."""
_EVENT: Final = "relive.logpoint"
_UNTRACED: Final = (
    "a worker's thread does not see it any more: a signal handler raised while it was looked at, which ends"
    " tracing (Python 3.11)"
)


class _One:
    __slots__ = ("condition", "late", "passing", "point", "text", "troubled")

    def __init__(self, point: Point, keys: Sequence[str]) -> None:
        """Raises SyntaxError, ValueError, RecursionError, MemoryError."""
        self.point = point
        self.condition = Condition(point.condition)
        self.text = LogText(point.text, keys) if point.text is not None else None
        self.troubled = self.late = False
        self.passing = ""  # the invocation that is not to be held


class Armed:
    """One per worker; nothing of it costs anything while no point is set."""

    def __init__(
        self,
        roots: Sequence[str],
        sink: FrameSink,
        channel: Channel,
        caller: Caller,
        telemetry: Telemetry,
        hold: Callable[[FrameType, Point], None] | None,
        keys: Sequence[str] = (),
    ) -> None:
        """`roots`: the function's own folders. `hold` does not return, and is called on the main thread;
        None: nothing can be held here. `keys`: further names that are secret."""
        self._keys = keys
        self._roots = list(
            dict.fromkeys(folder for root in roots for folder in (root, os.path.realpath(root)))
        )
        self._sink = sink
        self._channel = channel
        self._caller = caller
        self._telemetry = telemetry
        self._hold = hold
        self._lines: Lines | None = None
        self._at: dict[tuple[str, Statement], list[_One]] = {}
        self._within = threading.local()
        self._pid = os.getpid()

    def arm(self, points: Sequence[Point]) -> None:
        """These from now on. Never raises."""
        self.disarm()
        for point in points:
            try:
                one = _One(point, self._keys)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                self._trouble(point, f"{type(error).__name__}: {error}")
                continue
            if point.statement is None:
                self._trouble(point, "the server has not said which statement it is at")
                continue
            for root in self._roots:
                self._at.setdefault((os.path.join(root, point.file), point.statement), []).append(one)
        if not self._at:
            return
        places: dict[str, set[Statement]] = {}
        for file, statement in self._at:
            places.setdefault(file, set()).add(statement)
        try:
            self._lines = watched_lines(
                {file: frozenset(statements) for file, statements in places.items()}, self._passed
            )
        except CannotWatch as error:
            for point in points:
                self._trouble(point, str(error))

    def disarm(self) -> None:
        """None any more."""
        lines, self._lines = self._lines, None
        self._at = {}
        if lines is not None:
            lines.stop()

    def _passed(self, frame: FrameType, file: str, statement: Statement) -> None:
        """It is about to run. What it raises is the time limit's or a signal handler's of the user's."""
        if getattr(self._within, "now", False) or os.getpid() != self._pid:
            return  # an expression's own code, or a child of the user's
        self._within.now = True
        try:
            for one in self._at.get((file, statement), ()):
                self._reached(one, frame)
        except BaseException as error:
            if isinstance(error, Exception) and not (
                isinstance(error, HandlerTimeout) or of_signal_handler(error)
            ):
                return  # the function does not suffer for it
            if sys.version_info < (3, 12):
                for one in self._at.get((file, statement), ()):
                    self._trouble(one.point, _UNTRACED)
            raise
        finally:
            self._within.now = False

    def _reached(self, one: _One, frame: FrameType) -> None:
        point = one.point
        if one.passing and one.passing == self._telemetry.invocation_id:
            return
        holds, problem = one.condition.holds(frame)
        if problem and not one.troubled:
            one.troubled = True
            self._trouble(point, f"the condition raised {problem}")
        if not holds or not self._telemetry.invocation_id:
            return
        if one.text is not None:
            if self._is_meant(one):
                said = one.text.of(frame)
                where: Attributes = {"code.file.path": point.file, "code.line.number": point.line}
                self._telemetry.event(_EVENT, said, where)
        elif self._hold is not None and _is_main_thread() and self._is_meant(one):
            self.disarm()
            self._hold(frame, point)

    def _is_meant(self, one: _One) -> bool:
        """Ask the server: others may have come first."""
        number = self._caller.next_id()
        self._channel.expect(number)
        hit = PointHit(call_id=number, number=one.point.number, invocation_id=self._telemetry.invocation_id)
        if not self._sink.send(hit):
            self._channel.forget(number)
            return False
        try:
            answer = self._channel.answer(number, _ANSWER_S)
        except ChannelClosed:
            answer = None
        if answer is None:
            self._late(one)
        elif not answer.ok and one.text is None:
            one.passing = hit.invocation_id  # the next one may be meant, unless it is gone
        elif not answer.ok:
            self._forget(one)
        return answer is not None and answer.ok

    def _late(self, one: _One) -> None:
        """Nothing was said of a hit: there may be more that are meant."""
        if not one.late:
            one.late = True
            did = "logged" if one.text is not None else "held"
            self._trouble(
                one.point,
                f"a hit was not {did}, though it may be counted: the server's answer came later than"
                f" {_ANSWER_S:g} s",
            )

    def _forget(self, gone: _One) -> None:
        """It has had its hits. Each list is another one then: somebody may go through it."""
        left = {place: [one for one in there if one is not gone] for place, there in self._at.items()}
        self._at = {place: there for place, there in left.items() if there}
        if not self._at:
            self.disarm()

    def _trouble(self, point: Point, problem: str) -> None:
        self._sink.send(PointHit(call_id=0, number=point.number, problem=problem[:500]))


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
