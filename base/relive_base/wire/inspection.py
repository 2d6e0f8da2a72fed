"""What a debugger is asked about a failure, and its answers, as data: for faces that do not read pdb's
text.

An answer says what is there; texts are bounded. The same questions are answered by a process
(`relive_runtime.debugger.inspecting`) and by a scene (`relive_capture.explore.postmortem`).
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "ASK",
    "FRAMES_OF_A_STACK",
    "PAGE",
    "STOPPED",
    "Answer",
    "Ask",
    "Children",
    "Cut",
    "ErrorAt",
    "Errors",
    "Evaluate",
    "FrameAt",
    "FrameList",
    "Frames",
    "Problem",
    "Raised",
    "Scope",
    "ScopeList",
    "Scopes",
    "Select",
    "Source",
    "StackList",
    "Stacks",
    "Text",
    "Value",
    "Values",
    "page",
]  # fmt: skip

ASK: Final = "\x02ask "
"""Begins the line of a question to a process's debugger, and after a nonce its answer."""
STOPPED: Final = "stopped here"
"""The name of a stack that no exception has: code was stopped where it is."""
PAGE: Final = 1_000
"""Values or frames of one answer."""
FRAMES_OF_A_STACK: Final = 1_000_000
"""A frame's number is its stack's, times this, and its place from the outermost one."""


def page(count: int) -> int:
    """How many an answer has at most if `count` are asked for; 0: all there are."""
    return min(count, PAGE) if count > 0 else PAGE


class _Ask(msgspec.Struct, tag_field="t", omit_defaults=True):
    pass


class Stacks(_Ask, tag="stacks"):
    """Which stacks are there: of the failure, of what it was raised from, of threads."""


class Frames(_Ask, tag="frames"):
    """Frames of a stack, innermost first; `count` 0: all, up to a page."""

    stack: int
    start: int = 0
    count: int = 0


class Scopes(_Ask, tag="scopes"):
    """What a frame's names are in."""

    frame: int


class Children(_Ask, tag="children"):
    """What is inside of a value. `which`: "named", "indexed", "" both; `count` 0: all, up to a page."""

    reference: int
    which: str = ""
    start: int = 0
    count: int = 0


class Evaluate(_Ask, tag="evaluate"):
    """The value of an expression. `whole`: in full, as Python shows it, up to a larger limit."""

    frame: int
    text: str
    whole: bool = False


class Source(_Ask, tag="source"):
    """The text of a file, as it runs."""

    file: str


class Select(_Ask, tag="select"):
    """Commands that follow are about this frame."""

    frame: int


class Raised(_Ask, tag="raised"):
    """The exceptions of a stack: what was raised first, then what that was raised from."""

    stack: int


Ask = Stacks | Frames | Scopes | Children | Evaluate | Source | Select | Raised


class _Answer(msgspec.Struct, tag_field="t", omit_defaults=True):
    pass


class StackList(_Answer, tag="stacks"):
    """`shown`: the failure's own. `moment`: where the debugger stands, as its prompt says."""

    names: list[str]
    shown: int = 0
    moment: str = ""


class FrameAt(msgspec.Struct, omit_defaults=True):
    """`file` as the process has it; `shown` as frames name it; `own`: of the application."""

    number: int
    function: str
    file: str
    shown: str
    line: int
    column: int = -1
    own: bool = False


class FrameList(_Answer, tag="frames"):
    """`total`: of the stack."""

    frames: list[FrameAt]
    total: int


class Scope(msgspec.Struct, omit_defaults=True):
    """`reference`: whose children are its names. `costly`: not to be opened unasked."""

    name: str
    reference: int
    named: int = 0
    costly: bool = False


class ScopeList(_Answer, tag="scopes"):
    """Of a frame."""

    scopes: list[Scope]


class Value(msgspec.Struct, omit_defaults=True):
    """`reference`: whose children are inside, 0: nothing is. `path`: an expression that gives it; "": none
    does."""

    name: str
    text: str
    type: str = ""
    reference: int = 0
    named: int = 0
    indexed: int = 0
    path: str = ""


class Cut(msgspec.Struct, omit_defaults=True):
    """`more` values are not in the answer. `why`: a limit, or the capture."""

    more: int
    why: str


class Values(_Answer, tag="values"):
    """In order."""

    values: list[Value]
    cut: Cut | None = None


class ErrorAt(msgspec.Struct, omit_defaults=True):
    """`relation`: how the one before came from it: "cause", "context", ""."""

    type: str
    message: str = ""
    relation: str = ""
    traceback: str = ""


class Errors(_Answer, tag="errors"):
    """The raised one first."""

    errors: list[ErrorAt]


class Text(_Answer, tag="text"):
    """Of a file; nothing to say: "". `cut`: so many characters are left out."""

    text: str = ""
    cut: int = 0


class Problem(_Answer, tag="problem"):
    """It cannot be had. `kind`: "syntax", "name", "raised", "" anything else."""

    message: str
    kind: str = ""


Answer = StackList | FrameList | ScopeList | Values | Errors | Text | Problem
