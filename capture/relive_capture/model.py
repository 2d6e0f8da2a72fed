"""What `exception.json`, `threads.json`, `tasks.json`, `background.json` and `result.json` of a scene hold:
written by record/, read by explore/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from relive_base.values import ValueNode

__all__ = [
    "BackgroundView",
    "ExceptionView",
    "FrameView",
    "ResultView",
    "TaskView",
    "ThreadView",
    "every_exception",
]


class FrameView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One frame. Lines count from 1, columns from 0 in UTF-8 bytes; -1 if unknown.

    `file` is relative to the function's own code for in-app frames, absolute for others. `source` has the
    lines around `line`, the first of them is number `source_first_line`.
    """

    file: str
    line: int
    function: str
    end_line: int = -1
    column: int = -1
    end_column: int = -1
    module: str = ""
    in_app: bool = False
    locals: list[tuple[str, ValueNode]] = []
    locals_more: int = 0  # locals that the budget cut
    source: list[str] = []
    source_first_line: int = 0


class ExceptionView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One exception of a chain, frames outermost first, as Python prints them.

    `relation`: "" for the raised one, "cause" (raise from), "context" (raised while handling), "group" for
    the members of a group, "signal" for a stack taken without an exception. `chain`: what a member of a
    group was raised from, in order; where the group itself was, is in the list that has the group.
    `frames_cut` frames are missing after frame number `frames_cut_at`.
    """

    type: str
    module: str = ""
    message: str = ""
    notes: list[str] = []
    relation: str = ""
    frames: list[FrameView] = []
    group: list[ExceptionView] = []
    group_more: int = 0
    suppressed: bool = False  # `from None`: Python would not print it
    frames_cut: int = 0
    frames_cut_at: int = 0
    place: list[str] = []  # of a SyntaxError: file, line, text and caret as Python prints them
    details: list[tuple[str, str]] = []  # facts of a known type: status, body, SQL, fields, stderr
    attributes: list[tuple[str, ValueNode]] = []
    attributes_more: int = 0  # attributes that the budget cut
    chain: list[ExceptionView] = []


def every_exception(views: Iterable[ExceptionView]) -> Iterator[tuple[ExceptionView, int]]:
    """(exception, how many groups are around it): each before the members of its group, and these before what
    it was raised from."""
    pending = [(view, 0) for view in views][::-1]
    while pending:
        view, depth = pending.pop()
        yield view, depth
        pending += [(link, depth) for link in reversed(view.chain)]
        pending += [(member, depth + 1) for member in reversed(view.group)]


class ThreadView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Another thread of the process at the moment of the capture. The user's own frames have locals as far
    as the budget went."""

    name: str
    ident: int
    frames: list[FrameView] = []


class TaskView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A task of asyncio or trio, or a greenlet: the frames of its coroutine and of what that awaits, or those
    of the exception that it failed with; outermost first.

    `state`: "pending", "finished", "failed" or "cancelled". `awaits`: the type that the innermost one awaits.
    `kind`: "task", "trio task" or "greenlet".
    """

    name: str
    state: str
    awaits: str = ""
    error: str = ""  # the type of the exception it ended with
    frames: list[FrameView] = []
    message: str = ""  # of that exception
    kind: str = "task"
    unseen: bool = False  # nobody has asked for that exception


class BackgroundView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An exception that reached no caller: of a thread, or of a task that nobody awaited.

    `origin` is "thread" or "task". It may have happened during an earlier invocation of the same process.
    """

    origin: str
    name: str
    happened_ns: int
    invocation_id: str = ""
    message: str = ""
    exceptions: list[ExceptionView] = []


class ResultView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A result that could not be sent: where inside it, why, and what it looked like."""

    path: str
    reason: str
    value: ValueNode | None = None
