"""One session over a run: at its failure, and at any step before it."""

from __future__ import annotations

import ast
import json
import linecache
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

from relive_runtime.debugger.chain import exception_chain, user_frames
from relive_runtime.debugger.interrupts import Interrupts
from relive_runtime.debugger.link import DebugLink
from relive_runtime.debugger.standard import standard_library
from relive_runtime.debugger.streams import SessionStreams
from relive_runtime.isolation.limits import make_room_for_files
from relive_runtime.travel.elsewhere import elsewhere
from relive_runtime.travel.folding import depths, folded
from relive_runtime.travel.messages import Change, Goes
from relive_runtime.travel.runs import Elsewhere, Gone, Parted, Runs
from relive_runtime.travel.trail import NOBODY
from relive_runtime.travel.traveller import Traveller
from relive_runtime.worker.start.namesakes import originals

__all__ = ["travel"]

_SHOWN: Final = 20
_TRAIL: Final = 30
_STRIP, _STRIP_MOST = 80, 1_000
_BREAKPOINTS: Final = 100
_AGAIN, _AGAIN_MOST = 4, 50


def travel(failure: BaseException | FrameType, link: DebugLink, traveller: Traveller) -> str:
    """Talk about the run until the other end has had enough; gives why it ended, "" if the user ended it.
    Call it on
    the main thread, in the process of the first run."""
    trace = sys.gettrace()
    make_room_for_files()
    try:
        with originals(), standard_library():
            from relive_runtime.travel.travel_pdb import TravelPdb  # noqa: F401 - found by what follows
        with Interrupts() as interrupts:
            _Session(failure, link, traveller, interrupts).talk()
    except Exception as problem:
        return f"the debugger failed: {type(problem).__name__}: {problem}"[:500]
    finally:
        sys.settrace(trace)
    return ""


class _Session:
    """`step`: where it is; None: at the failure."""

    def __init__(
        self,
        failure: BaseException | FrameType,
        link: DebugLink,
        traveller: Traveller,
        interrupts: Interrupts,
    ) -> None:
        self._failure = failure
        self._link = link
        self._traveller = traveller
        self._trail = traveller.trail
        self._interrupts = interrupts
        self._runs = Runs(traveller)
        self._step: int | None = None
        self._frame = NOBODY  # that is looked at
        self._breakpoints: list[tuple[str, int]] = []
        self._sought: tuple[str, int, int] = (
            "",
            NOBODY,
            -1,
        )  # expression and frame of the last origin, and its step
        self._failing = self._failing_step()

    def talk(self) -> None:
        self._introduce()
        while True:
            goes = self._converse()
            if not goes.word:
                return
            self._obey(goes)

    def _say(self, text: str) -> None:
        self._link.write(text + "\n")

    def _introduce(self) -> None:
        count = len(self._trail)
        cut = f", of which the first {count:,} can be gone back to" if self._trail.cut else ""
        self._say(
            f"{count:,} steps of the application's lines led here{cut}: rs goes back by one, h lists commands"
        )
        for note in self._traveller.notes:
            self._say(f"note: {note}")

    # ------------------------------------------------------------ being somewhere

    def _converse(self) -> Goes:
        if self._step is None:
            return self._at_failure()
        try:
            goes = self._runs.visit(self._step, self._link, self._answers_at_step)
        except Parted as parted:
            self._parted(parted.step)
            return Goes("stay")
        except Gone as gone:
            self._say(f"*** {gone}; back at the failure")
            self._step = None
            return Goes("stay")
        self._look(goes)
        return goes

    def _look(self, goes: Goes) -> None:
        if self._step is not None:
            self._frame = self._ancestor(self._trail.frame(self._step), goes.up)

    def _answers_at_step(self, goes: Goes) -> bool:
        self._look(goes)
        return self._answers(goes)

    def _answers(self, goes: Goes) -> bool:
        """Answer a command that leads nowhere else; False for one that does."""
        answer = _QUESTIONS.get(goes.word)
        if answer is None:
            return False
        try:
            if len(self._trail):
                answer(self, goes.argument)
            else:
                self._say("*** no line of the application has run on the main thread")
        except Gone as gone:
            self._say(f"*** {gone}")
        return True

    def _ancestor(self, frame: int, up: int) -> int:
        for _ in range(up):
            caller = self._trail.callers[frame]
            if caller == NOBODY:
                break
            frame = caller
        return frame

    def _at_failure(self) -> Goes:
        from relive_runtime.travel.travel_pdb import TravelPdb

        with originals():
            streams = SessionStreams(self._link, self._interrupts)
            own = self._traveller.own
            debugger = TravelPdb(
                self._failure,
                streams,
                self._interrupts,
                own,
                "(failure) ",
                lambda goes: ask(goes),
                self._traveller.in_app.shown,
            )

        def look() -> None:
            found = debugger.looked_at
            self._frame = self._traveller.number(found) if found is not None else NOBODY

        def ask(goes: Goes) -> None:
            look()
            self._answers(goes)

        self._link.completer = debugger.complete_line
        debugger.converse()
        self._link.completer = None
        look()
        debugger.forget()
        return debugger.goes

    def _parted(self, step: int) -> None:
        """Two runs went different ways: nothing after that is shown as if it had been so."""
        last = min(step, len(self._trail)) - 1
        self._say(
            f"*** a second run went another way from step {step} on: what it does depends on something"
            " that is not the same each time (a thread, a file, an address in memory)"
        )
        if last < 0:
            self._step = None
        else:
            self._say(f"    the last step that both have is {last}, {self._where(last)}")
            self._step = last if self._step != last else None

    def _where(self, step: int) -> str:
        place = self._trail.place(step)
        return f"{self._traveller.in_app.shown(place.file)}:{place.line} in {place.function}"

    def _shown_place(self, file: str, line: int) -> str:
        return f"{self._traveller.in_app.shown(file)}:{line}"

    def _source(self, step: int) -> str:
        place = self._trail.place(step)
        with originals():
            return linecache.getline(place.file, place.line).strip()

    def _failing_step(self) -> int:
        """The step whose line failed: the last one at the innermost own frame of the exception."""
        trail = self._trail
        if isinstance(self._failure, BaseException):
            for error in reversed(exception_chain(self._failure)):
                for frame, line in reversed(user_frames(error)):
                    if self._traveller.own(frame.f_code.co_filename):
                        found = trail.last_at(frame.f_code, line, self._traveller.number(frame))
                        if found is not None:
                            return found
        return max(len(trail) - 1, 0)

    # ------------------------------------------------------------ going elsewhere

    def _obey(self, goes: Goes) -> None:
        if not len(self._trail):
            self._say("*** no line of the application has run on the main thread: there is nowhere to go")
            return
        move = _MOVES.get(goes.word)
        try:
            if move is not None:
                self._move(goes.word, move)
            else:
                _COMMANDS.get(goes.word, _Session._nothing)(self, goes.argument)
        except Gone as gone:
            self._say(f"*** {gone}")

    def _nothing(self, argument: str) -> None:
        """Stay where it is."""

    def _move(self, word: str, move: Callable[[_Session, int], int | None]) -> None:
        back = word in _BACK
        if self._step is None:
            if not back:
                self._say("*** this is the failure: nothing comes after it")
                return
        elif self._step == 0 and back:
            self._say("*** this is the first line of the handler")
            return
        self._step = move(self, self._step) if self._step is not None else self._back_from_failure(word)

    def _back_from_failure(self, word: str) -> int | None:
        """It comes after all steps; its function is the one that failed."""
        end = len(self._trail)
        if word == "rs":
            return end - 1
        if word == "rn":
            return self._trail.last_of(self._trail.frame(self._failing), end, self._failing)
        if word == "rc":
            return self._breakpoint(end, back=True)
        return self._trail.back_out(self._failing)

    def _breakpoint(self, step: int, *, back: bool) -> int | None:
        found = [
            hit
            for file, line in self._breakpoints
            if (hit := self._trail.at(file, line, step, back=back)) is not None
        ]
        if back:
            return max(found, default=0)
        return min(found, default=None)

    def _goto(self, argument: str) -> None:
        count = len(self._trail)
        if not argument.isascii() or not argument.isdigit() or int(argument) >= count:
            self._say(f"*** give a step from 0 to {count - 1}")
            return
        self._step = int(argument)

    def _start(self, argument: str) -> None:
        self._step = 0

    def _end(self, argument: str) -> None:
        self._step = None

    # ------------------------------------------------------------ asking about values

    def _changes(self, expression: str, until: int) -> list[Change] | None:
        """None: said why."""
        if not self._is_expression(expression):
            return None
        if self._frame == NOBODY:
            self._say("*** this frame is not of the application: go up (u) to one that is")
            return None
        found, left_out = self._runs.changes([expression], self._frame, until)
        if left_out:
            self._say(f"({left_out} older changes are left out)")
        return found[0]

    def _is_expression(self, text: str) -> bool:
        """If not, it says so."""
        try:
            compile(text, "<expression>", "eval")
        except (SyntaxError, ValueError) as error:
            self._say(f"*** {text!r} is no expression: {error}")
            return False
        return True

    def _origin(self, argument: str) -> None:
        at = self._failing if self._step is None else self._step
        expression, frame, before = self._sought
        until = self._until()
        if not argument:
            argument = expression
        if not argument:
            self._say("*** origin of what? give a name or an expression")
            return
        if (argument, before) == (expression, self._step) and frame != NOBODY:
            self._frame, until = frame, at  # again: the change before this one
        changes = self._changes(argument, until)
        if changes is None:
            return
        bound = [change for change in changes if change.bound]
        if not bound:
            self._say(f"*** {argument} has no value in this function up to here")
            return
        last = bound[-1]
        frame = self._frame
        outer = self._given_outside(argument, last, at, until)
        if last.step == NOBODY and outer is None:
            step = self._entry(frame)
            self._say(
                f"{argument} = {last.text}  came into {self._trail.codes[frame].co_qualname} with the call"
            )
        elif outer is not None:
            step = outer
            self._say(f"{argument} = {last.text}  was given by step {step}, {self._where(step)}")
        else:
            step = self._given_again(argument, last, at, until)
            what = "was changed inside" if last.inside else "was given"
            self._say(f"{argument} = {last.text}  {what} by step {step}, {self._where(step)}")
        self._sought = (argument, frame, step)
        self._step = step

    def _until(self) -> int:
        """Up to where values are looked at: at the failure, as they were when it left their function."""
        if self._step is not None:
            return self._step
        return len(self._trail) if isinstance(self._failure, BaseException) else self._failing

    def _given_again(self, expression: str, last: Change, at: int, until: int) -> int:
        """The step that has given the very same value again, as `why` says; else that of its last change."""
        failure = self._failure if isinstance(self._failure, BaseException) and until > at else None
        try:
            found = self._runs.explained(expression, self._frame, at, failure)
        except (Elsewhere, Gone):
            return last.step
        link = found.links[0] if found.links else None
        if last.inside or link is None or link.value != last.text or link.how == "passed":
            return last.step
        is_it = link.expression == ast.unparse(ast.parse(expression, mode="eval"))
        return link.step if is_it and last.step < link.step < until and link.step != at else last.step

    def _given_outside(self, name: str, last: Change, at: int, until: int) -> int | None:
        """Of what was there when its function was called, and is a variable of another one or of the module:
        the step that has given it, as `why` says; None: it is no such variable, or none has."""
        code = self._trail.codes[self._frame]
        if last.step != NOBODY or not name.isidentifier() or name in (*code.co_varnames, *code.co_cellvars):
            return None
        failure = self._failure if isinstance(self._failure, BaseException) and until > at else None
        try:
            found = self._runs.explained(name, self._frame, at, failure)
        except (Elsewhere, Gone):
            return None
        link = found.links[0] if found.links else None
        is_it = link is not None and (link.expression, link.value) == (name, last.text)
        return link.step if link is not None and is_it and 0 <= link.step < at else None

    def _entry(self, frame: int) -> int:
        """The step that called a frame; its own first one if none did."""
        first = self._trail.first[frame]
        return self._trail.last_of(self._trail.callers[frame], first, first)

    def _values(self, argument: str) -> None:
        if not argument:
            self._say("*** values of what? give a name or an expression")
            return
        changes = self._changes(argument, self._until())
        if changes is None:
            return
        if not changes:
            self._say(f"*** {argument} has no value in this function up to here")
        rows = []
        for change in changes[-_SHOWN:]:
            step = change.step if change.step != NOBODY else self._entry(self._frame)
            text = change.text if change.bound else "(no value)"
            rows.append((str(step), self._where(step), text))
        if len(changes) > _SHOWN:
            self._say(f"({len(changes) - _SHOWN} earlier values; origin goes back one by one)")
        width = max((len(place) for _, place, _ in rows), default=0)
        for step_text, place, text in rows:
            self._say(f"{step_text:>8}  {place:<{min(width, 48)}}  {text}")

    def _why(self, argument: str) -> None:
        if argument and not self._is_expression(argument):
            return
        at = self._failing if self._step is None else self._step
        frame = self._trail.frame(at) if self._step is not None or self._frame == NOBODY else self._frame
        fails = isinstance(self._failure, BaseException) and self._step is None
        failure = self._failure if isinstance(self._failure, BaseException) and fails else None
        try:
            if argument:
                found = self._runs.explained(argument, frame, at, failure)
            else:
                found = self._runs.explained(until=-1 if fails else at, failure=failure)
        except Elsewhere as other:
            for line in elsewhere(other, self._where, self._shown_place):
                self._say(line)
            return
        for line in found.lines(self._where, self._source, self._shown_place):
            self._say(line)

    def _show_trail(self, argument: str) -> None:
        count = int(argument) if argument.isascii() and argument.isdigit() else _TRAIL
        at = len(self._trail) - 1 if self._step is None else self._step
        for row in folded(self._trail, at, count):
            mark = ">" if row.first <= at <= row.last else " "
            times = f"  ×{row.times:,}" if row.times > 1 else ""
            self._say(f"{mark}{row.first:>8}  {self._where(row.first)}{times}  {self._source(row.first)}")

    def _again(self, argument: str) -> None:
        count = int(argument) if argument.isascii() and argument.isdigit() else _AGAIN
        count = min(max(count, 1), _AGAIN_MOST)
        said = f"trail {self._trail.identity(self._traveller.in_app.shown)}"
        for number in range(1, count + 1):
            step = self._runs.parting()
            if step is not None:
                self._say(f"{said}: run {number} of {count} went another way from step {step} on")
                if step:
                    last = min(step, len(self._trail)) - 1
                    self._say(f"    the last step that both have is {last}, {self._where(last)}")
                return
        self._say(f"{said}: {count} more run{'s' * (count > 1)} went the same way, step by step")

    def _show_strip(self, argument: str) -> None:
        width = int(argument) if argument.isascii() and argument.isdigit() else _STRIP
        found = {
            "total": len(self._trail),
            "step": self._step,
            "failing": self._failing,
            "cut": self._trail.cut,
            "depths": depths(self._trail, min(max(width, 1), _STRIP_MOST)),
        }
        self._say(json.dumps(found))

    # ------------------------------------------------------------ breakpoints

    def _break(self, argument: str) -> None:
        if not argument:
            for file, line in self._breakpoints:
                self._say(f"  {self._traveller.in_app.shown(file)}:{line}")
            if not self._breakpoints:
                self._say("no breakpoints")
            return
        place = self._place(argument)
        if place is None:
            return
        if len(self._breakpoints) >= _BREAKPOINTS:
            self._say(f"*** there are {_BREAKPOINTS} breakpoints, the limit: clear one")
            return
        hits = self._hits(*place)
        if place not in self._breakpoints:
            self._breakpoints.append(place)
        again = "" if hits else ": no step of this run is there"
        times = f", which runs {hits} time{'s' * (hits != 1)}" if hits else ""
        self._say(f"breakpoint at {self._traveller.in_app.shown(place[0])}:{place[1]}{times}{again}")

    def _hits(self, file: str, line: int) -> int:
        count, step = 0, -1
        while (found := self._trail.at(file, line, step, back=False)) is not None:
            count, step = count + 1, found
            if count >= 1_000_000:
                break
        return count

    def _place(self, argument: str) -> tuple[str, int] | None:
        name, _, number = argument.rpartition(":")
        if not number.isascii() or not number.isdigit():
            self._say("*** give LINE or FILE:LINE")
            return None
        at = self._failing if self._step is None else self._step
        if not name:
            return self._trail.code(at).co_filename, int(number)
        shown = self._traveller.in_app.shown
        files = {code.co_filename for code in self._trail.codes}
        for file in sorted(files):
            if name in (file, shown(file)) or shown(file).endswith("/" + name):
                return file, int(number)
        self._say(f"*** no line of {name} has run")
        return None

    def _clear(self, argument: str) -> None:
        if not argument:
            self._breakpoints.clear()
            return
        place = self._place(argument)
        if place in self._breakpoints:
            self._breakpoints.remove(place)
        elif place is not None:
            self._say("*** there is no breakpoint")


_BACK: Final = frozenset(("rs", "rn", "rr", "rc"))
_MOVES: Final[dict[str, Callable[[_Session, int], int | None]]] = {
    "rs": lambda session, at: session._trail.back(at),
    "rn": lambda session, at: session._trail.back_over(at),
    "rr": lambda session, at: session._trail.back_out(at),
    "rc": lambda session, at: session._breakpoint(at, back=True),
    "step": lambda session, at: session._trail.forward(at),
    "next": lambda session, at: session._trail.forward_over(at),
    "return": lambda session, at: session._trail.forward_out(at),
    "continue": lambda session, at: session._breakpoint(at, back=False),
}
_COMMANDS: Final[dict[str, Callable[[_Session, str], None]]] = {
    "goto": _Session._goto,
    "start": _Session._start,
    "end": _Session._end,
    "origin": _Session._origin,
}
_QUESTIONS: Final[dict[str, Callable[[_Session, str], None]]] = {
    "values": _Session._values,
    "why": _Session._why,
    "trail": _Session._show_trail,
    "again": _Session._again,
    "strip": _Session._show_strip,
    "break": _Session._break,
    "clear": _Session._clear,
}
