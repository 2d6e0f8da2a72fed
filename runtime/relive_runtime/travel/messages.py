"""What the processes of a session tell each other."""

from __future__ import annotations

import msgspec

__all__ = [
    "Answered", "Arrived", "Change", "Complete", "Fork", "Goes", "Line", "Offer", "Prompt", "Ran", "Seen",
    "Text", "Trailed",
]  # fmt: skip


class Fork(msgspec.Struct, omit_defaults=True):
    """To a stem: fork, and run. With it comes the child's end of a pipe.

    `stop`: at this step, for a conversation. `watch`: the values of expressions in frame `frame`, up to step
    `until`. `frames`: what these frames return. None of them: make a trail and send it.
    With `explain`, `stop` is a step before which `watch` is looked at, in a run that goes on to its end.
    """

    stop: int = -1
    frame: int = -1
    watch: list[str] = []
    until: int = -1
    frames: list[int] = []
    by_value: bool = True  # also what changes inside of a container, by code of any frame
    explain: bool = False  # of `watch` in `frame` before step `until`, or of what fails: where it came from
    since: int = 0  # the step from which on it is looked for


class Arrived(msgspec.Struct, tag=True):
    """From a child: it stands at its step."""

    pid: int
    line: int
    file: str


class Ran(msgspec.Struct, tag=True):
    """From a child: its run has ended before the step. `steps`: so many there were; -1: it was
    interrupted."""

    steps: int


class Change(msgspec.Struct, array_like=True):
    """A value that was seen to be another one. `step`: that ran and made it so; -1: it was there before the
    first.
    `text`: of the value, as Python shows it; "" with `bound` False: the name has none."""

    expression: int
    step: int
    text: str
    type: str
    bound: bool
    inside: bool  # it is the same object, and what is in it has changed
    ident: int


class Seen(msgspec.Struct, tag=True):
    """From a child: the changes, oldest first. `left_out`: older ones over the limit; `steps`: so many there
    were when it ended."""

    changes: list[Change]
    left_out: int = 0
    steps: int = 0


class Trailed(msgspec.Struct, tag=True):
    """From a child: the steps of a trail (64 bits each), and of each frame the file and the caller."""

    steps: bytes
    files: list[str]


class Text(msgspec.Struct, tag=True):
    """From a child: text to show."""

    text: str


class Prompt(msgspec.Struct, tag=True):
    """From a child: it waits for a line."""


class Offer(msgspec.Struct, tag=True):
    """From a child: completions."""

    start: int
    items: list[str]


class Goes(msgspec.Struct, tag=True):
    """From a child: a command for the session. Those that lead elsewhere are its last word. `word` and
    `argument`: the command that leads elsewhere; "" ends the
    session. `up`: so many of the application's frames above the innermost one is the one that is looked
    at."""

    word: str
    argument: str = ""
    up: int = 0


class Answered(msgspec.Struct, tag=True):
    """To a child: what its `Goes` has asked has been answered; the conversation goes on."""


class Line(msgspec.Struct, tag=True):
    """To a child: the line it waits for; None at the end of the input."""

    text: str | None


class Complete(msgspec.Struct, tag=True):
    """To a child: asks for completions of a line that is being typed."""

    text: str
