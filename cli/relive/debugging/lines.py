"""Where the lines of a debugging session come from: a script, a pipe, or a person at a terminal."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from relive_base.terminal import one_line

from relive.output import echo

__all__ = ["Completer", "Lines", "PipedLines", "ScriptLines", "TypedLines", "session_lines"]

HISTORY_LINES: Final = 1_000
HISTORY_FILE: Final = "debug_history"
NOT_RUN: Final = "the session was over before these commands, which did not run: "
_NOT_RUN_CHARS: Final = 500
_PROMPT_CHARS: Final = 200
_DELIMITERS: Final = " \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?."
Completer = Callable[[str], tuple[int, Sequence[str]]]
"""The line up to the cursor -> where the replaced text begins, and what may replace it."""


class Lines(Protocol):
    """A source of lines. `typed`: a person sees the prompts."""

    typed: bool

    def read(self, prompt: str) -> str | None:
        """The next line; None at the end of the input. Raises KeyboardInterrupt for Ctrl-C at a prompt."""
        ...


class ScriptLines:
    """The lines that were given with the command."""

    typed = False

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines: Iterator[str] = iter(lines)

    def read(self, prompt: str) -> str | None:
        return next(self._lines, None)

    def rest(self) -> tuple[str, ...]:
        """Those that have not been read; none is left."""
        return tuple(self._lines)


class PipedLines:
    """Standard input that is no terminal."""

    typed = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def read(self, prompt: str) -> str | None:
        line = self._stream.readline()
        return line.rstrip("\r\n") if line else None


class TypedLines:
    """A person at a terminal, with readline's editing, history and completion if Python has them."""

    typed = True

    def __init__(self, readline: Any, completer: Completer | None) -> None:
        self._readline = readline
        self._completer = completer
        self._found: list[str] = []

    def read(self, prompt: str) -> str | None:
        try:
            return input(one_line(prompt, _PROMPT_CHARS))
        except EOFError:
            print()
            return None

    def complete(self, text: str, state: int) -> str | None:
        """readline asks for the first match, the second, and so on."""
        if state == 0:
            self._found = self._matches(text)
        return self._found[state] if state < len(self._found) else None

    def _matches(self, text: str) -> list[str]:
        if self._completer is None:
            return []
        line = self._readline.get_line_buffer()[: self._readline.get_endidx()]
        start, items = self._completer(line)
        begin = len(line) - len(text)
        # readline replaces `text`; an item replaces the line from `start` on.
        return [line[begin:start] + item[max(begin - start, 0) :] for item in map(one_line, items)]


@contextlib.contextmanager
def typed_lines(home: Path, completer: Completer | None) -> Iterator[TypedLines]:
    """Lines of a person; their history is kept in `home`, if there is one, for nobody else to read."""
    readline: Any = None
    with contextlib.suppress(ImportError):
        readline = importlib.import_module("readline")
    lines = TypedLines(readline, completer)
    if readline is None:
        yield lines
        return
    history = home / HISTORY_FILE
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(HISTORY_LINES)
    readline.set_completer(lines.complete)
    readline.set_completer_delims(_DELIMITERS)
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    try:
        yield lines
    finally:
        readline.set_completer(None)
        with contextlib.suppress(OSError):
            if home.is_dir():
                os.close(os.open(history, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
                readline.write_history_file(history)


@contextlib.contextmanager
def session_lines(commands: Sequence[str], home: Path, completer: Completer | None) -> Iterator[Lines]:
    """Lines of a script if there is one, of a person if they sit at a terminal, else of the pipe. What a
    script has left at its end is said."""
    if commands:
        script = ScriptLines(commands)
        yield script
        if left := script.rest():
            echo(one_line(f"{NOT_RUN}{', '.join(left)}", _NOT_RUN_CHARS), err=True)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        with typed_lines(home, completer) as lines:
            yield lines
    else:
        yield PipedLines(sys.stdin)
