"""Talking to a debugger: the live one in a frozen worker, or the read-only one on a scene."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from relive_base.terminal import escape_terminal

from relive.debugging.ctrl_c import CtrlC
from relive.debugging.lines import Lines

if TYPE_CHECKING:
    from relive_platform.api import control_pb2 as pb
    from relive_platform.api.debug_call import DebugCall
    from relive_platform.api.local_debug import LocalDebugCall

__all__ = ["LiveSession", "Screen", "talk_read_only"]

_POLL_S: Final = 0.1
"""And so long Ctrl-C may wait to be seen."""
_PROMPT_S: Final = 0.05
"""A line that has begun is a prompt if the process says so within this time."""
_COMPLETE_S: Final = 1.0
_PATIENCE: Final = 3
"""Ctrl-C so many times without a prompt in between leaves a process that does not react."""


class Screen:
    """What a session shows: whole lines, and for a person at a terminal the line that has begun."""

    def __init__(self, *, typed: bool, raw: bool, muted: bool) -> None:
        self._typed = typed
        self._clean: Callable[[str], str] = (lambda text: text) if raw else escape_terminal
        self._tail = ""  # the line that has begun
        self._shown = 0  # so many characters of it can be seen
        self._muted = muted

    @property
    def holding(self) -> bool:
        """Whether a line has begun that could be a prompt."""
        return self._typed and len(self._tail) > self._shown

    def show(self, text: str) -> None:
        """Text as it comes."""
        head, newline, tail = text.rpartition("\n")
        if not newline:
            self._tail += text
            return
        self._write(self._tail[self._shown :] + head + newline)
        self._tail, self._shown = tail, 0

    def settle(self) -> None:
        """No prompt has followed: a person sees the line that has begun."""
        if self.holding:
            self._write(self._tail[self._shown :])
            self._shown = len(self._tail)

    def _write(self, text: str) -> None:
        if not self._muted:
            sys.stdout.write(self._clean(text))
            sys.stdout.flush()

    def prompt(self) -> str:
        """The line that has begun: what is written before a prompt. Whoever reads the line shows it."""
        if self._shown:
            sys.stdout.write("\r\x1b[K")
        prompt, self._tail, self._shown, self._muted = self._tail, "", 0, False
        return prompt

    def end(self) -> None:
        """Show a line that has begun and was no prompt."""
        if self._tail:
            self._write(self._tail[self._shown :] + "\n")
        self._tail, self._shown = "", 0


class LiveSession:
    """The client's side of one session in a process."""

    def __init__(self, call: DebugCall | LocalDebugCall) -> None:
        self._call = call
        self._asked = 0
        self._held: list[pb.DebugResponse] = []

    def complete(self, line: str) -> tuple[int, Sequence[str]]:
        """Ask the process; nothing if it does not answer within a second."""
        self._asked += 1
        self._call.send_complete(self._asked, line)
        end = time.monotonic() + _COMPLETE_S
        while (left := end - time.monotonic()) > 0:
            response = self._call.next(left)
            if response is None:
                break
            if response.WhichOneof("part") != "offer":
                self._held.append(response)
                break
            if response.offer.request == self._asked:
                return response.offer.start, list(response.offer.items)
        return len(line), ()

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What comes next, None if nothing comes."""
        return self._held.pop(0) if self._held else self._call.next(timeout_s)

    def talk(self, lines: Lines, *, raw: bool) -> str:
        """Until one of both sides has had enough; gives why it ended, "" if the user ended it."""
        screen = Screen(typed=lines.typed, raw=raw, muted=not lines.typed)  # where it stands is for people
        impatient, prompt = 0, ""
        with CtrlC() as ctrl_c:
            while True:
                response = self.next(_PROMPT_S if screen.holding else _POLL_S)
                part = response.WhichOneof("part") if response is not None else ""
                if response is None:
                    screen.settle()
                elif part == "ended":
                    screen.end()
                    return response.ended.reason
                elif part != "offer":  # that is one too late
                    screen.show(response.text.text)
                    if response.text.prompt:
                        prompt = screen.prompt() or prompt
                        self._answer(lines, prompt, ctrl_c)
                        impatient = 0
                        continue
                if ctrl_c.take():
                    impatient += 1
                    self._call.interrupt()
                    if impatient == _PATIENCE:
                        return "the process did not react to Ctrl-C; it is stopped where it is"
                    if impatient > 1:
                        print("\n(no reaction yet; Ctrl-C once more leaves)", file=sys.stderr)

    def _answer(self, lines: Lines, prompt: str, ctrl_c: CtrlC) -> None:
        while True:
            try:
                with ctrl_c.raising():  # even if it came on the way to the prompt
                    line = lines.read(prompt)
                break
            except KeyboardInterrupt:
                print("^C")
        self._call.send_line(line or "", end=line is None)


class ReadOnly(Protocol):
    """`relive_capture.explore.postmortem.PostMortem`."""

    prompt: str
    done: bool

    def banner(self) -> str: ...
    def run(self, line: str) -> str: ...


_TRAVEL: Final = "travel"
_BACK: Final = frozenset(("rs", "rn", "rr", "rc", "goto", "origin", "values", "why", "trail", "start", "end"))
_TOLD: Final = (
    "travel: back from here, in a replay of the failure: rs, rn, rr, rc, goto, origin, values, why\n"
)


def talk_read_only(session: ReadOnly, lines: Lines, *, raw: bool) -> bool:
    """Until the user leaves; whether that is to go back in time, which takes a replay."""
    clean: Callable[[str], str] = (lambda text: text) if raw else escape_terminal
    if lines.typed:
        print(clean(session.banner()))
        print(_TOLD, end="")
    while not session.done:
        try:
            line = lines.read(session.prompt)
        except KeyboardInterrupt:
            print("^C")
            continue
        if line is None:
            return False
        if line.strip() == _TRAVEL:
            return True
        answer = session.run(line)
        sys.stdout.write(clean(answer))
        name = line.split()[0] if line.strip() else ""
        if (name in _BACK and answer.startswith("***")) or line.strip() in ("h", "help"):
            sys.stdout.write(_TOLD)
        sys.stdout.flush()
    return False
