"""Python's own pdb at one moment of a run. Commands that lead to another moment end it, and say where to."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Final

from relive_runtime.debugger.failure_pdb import FailurePdb
from relive_runtime.debugger.interrupts import Interrupts
from relive_runtime.debugger.streams import SessionStreams
from relive_runtime.travel.messages import Goes

__all__ = ["TravelPdb"]

_NAMES: Final = {
    "s": "step", "n": "next", "r": "return", "c": "continue", "cont": "continue", "b": "break", "cl": "clear",
    "unt": "next", "until": "next",
}  # fmt: skip


class TravelPdb(FailurePdb):
    """`goes` is what the session is to do when it is over."""

    def __init__(
        self,
        moment: BaseException | FrameType,
        streams: SessionStreams,
        interrupts: Interrupts,
        own: Callable[[str], bool],
        prompt: str,
        ask: Callable[[Goes], None],
        shown: Callable[[str], str],
    ) -> None:
        """`ask` has the session answer a question, and comes back."""
        super().__init__(moment, streams, interrupts, own, shown)
        self.prompt = prompt
        self._ask_session = ask
        self.goes = Goes("")

    def _leave(self, word: str, argument: str) -> bool:
        self.goes = self._goes(word, argument)
        return True

    def _ask(self, word: str, argument: str) -> None:
        self.stdout.flush()
        self._ask_session(self._goes(word, argument))

    def _goes(self, word: str, argument: str) -> Goes:
        below = self.stack[self.curindex + 1 :] if self.curframe is not None else []
        here = self.curframe is not None and self._own(self.curframe.f_code.co_filename)
        inner = sum(self._own(frame.f_code.co_filename) for frame, _ in below)
        return Goes(word, argument.strip(), inner if here or not inner else inner - 1)

    @property
    def looked_at(self) -> FrameType | None:
        """The frame that was looked at last."""
        return self.curframe

    def do_rs(self, arg: str) -> bool:
        """rs

        One step back: to the line of the application that ran before.
        """
        return self._leave("rs", arg)

    def do_rn(self, arg: str) -> bool:
        """rn

        One step back in this function, over what it has called.
        """
        return self._leave("rn", arg)

    def do_rr(self, arg: str) -> bool:
        """rr

        Back to the caller, before it called this function.
        """
        return self._leave("rr", arg)

    def do_rc(self, arg: str) -> bool:
        """rc

        Back to the breakpoint that was passed last, or to the start.
        """
        return self._leave("rc", arg)

    def do_goto(self, arg: str) -> bool:
        """goto STEP

        To a step, by its number.
        """
        return self._leave("goto", arg)

    def do_start(self, arg: str) -> bool:
        """start

        To the first line of the handler.
        """
        return self._leave("start", arg)

    def do_end(self, arg: str) -> bool:
        """end

        To the failure.
        """
        return self._leave("end", arg)

    def do_origin(self, arg: str) -> bool:
        """origin NAME | EXPRESSION

        To the step that gave it the value it has now. Again: to the one before.
        """
        return self._leave("origin", arg)

    def do_values(self, arg: str) -> None:
        """values NAME | EXPRESSION

        Every value that it had up to here, with the steps that gave it.
        """
        self._ask("values", arg)

    def do_why(self, arg: str) -> None:
        """why [NAME | EXPRESSION]

        Where the values of the failing line come from, as far as that can be followed.
        """
        self._ask("why", arg)

    def do_trail(self, arg: str) -> None:
        """trail [COUNT]

        The lines that ran up to here, loops folded.
        """
        self._ask("trail", arg)

    def do_again(self, arg: str) -> None:
        """again [COUNT]

        Run it so many times more (4): does each run go the same way, step by step?
        """
        self._ask("again", arg)

    def do_strip(self, arg: str) -> None:
        """strip [WIDTH]

        The whole run in so many columns, as JSON: how deep its calls were. For the faces of this debugger.
        """
        self._ask("strip", arg)

    def do_move(self, arg: str) -> bool:
        """step | next | return | continue

        On by a line; by a line of this function; to its caller; to the next breakpoint or the failure.
        """
        word = self.lastcmd.split()[0] if self.lastcmd.split() else "step"
        return self._leave(_NAMES.get(word, word), arg)

    do_step = do_s = do_next = do_n = do_return = do_r = do_continue = do_c = do_cont = do_move  # type: ignore[assignment]
    do_until = do_unt = do_move  # type: ignore[assignment]

    def do_break(self, arg: str) -> None:  # type: ignore[override]
        """break [FILE:]LINE

        `c` and `rc` stop there. Without a place: list them.
        """
        self._ask("break", arg)

    do_b = do_break  # type: ignore[assignment]

    def do_clear(self, arg: str) -> None:
        """clear [FILE:LINE]

        Forget one breakpoint, or all.
        """
        self._ask("clear", arg)

    do_cl = do_clear

    def do_jump(self, arg: str) -> None:
        """jump

        Not here: the run goes its own way. `goto STEP` shows any moment of it.
        """
        self.error("the run goes its own way; `goto STEP` shows any moment of it")

    do_j = do_jump
