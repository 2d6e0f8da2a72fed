"""Everything of a scene that has a stack, as one tree: chain, groups with members, other threads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from relive_tui.models.home import failure_title
from relive_tui.models.layout.text import Line, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.scenes.model import ExceptionView, FrameView, SceneView, StackView

__all__ = ["RELATIONS", "StackRows", "frames_of", "group_around", "start_of"]

RELATIONS = {
    "cause": "caused by",
    "context": "while handling",
    "group": "in the group",
    "signal": "stopped at",
}
_SHORT = {"cause": "↳ cause: ", "context": "↳ handling: "}


def frames_of(scene: SceneView, index: int) -> tuple[FrameView, ...]:
    """The frames of stack `index`: the exceptions come first, then the other threads and tasks."""
    count = len(scene.exceptions)
    if 0 <= index < count:
        return scene.exceptions[index].frames
    return scene.stacks[index - count].frames if 0 <= index - count < len(scene.stacks) else ()


def start_of(scene: SceneView) -> int:
    """The stack to look at first: the raised exception; of a group the first member that has frames, for
    the group's own only say where it was put together."""
    if not scene.exceptions or not scene.exceptions[0].members:
        return 0
    for index, exception in enumerate(scene.exceptions[1:], 1):
        if exception.depth == 0:
            break
        if not exception.members and exception.frames:
            return index
    return 0


def group_around(scene: SceneView, index: int) -> tuple[int, int, int] | None:
    """(index of the group, place in it from 1, how many it has) of a member, or of what a member was raised
    from; None for anything else."""
    if not 0 < index < len(scene.exceptions) or not scene.exceptions[index].depth:
        return None
    depth, place = scene.exceptions[index].depth, 0
    for above in range(index, -1, -1):
        exception = scene.exceptions[above]
        place += exception.depth == depth and exception.relation == "group"
        if exception.depth < depth:
            return above, place, exception.members + exception.members_cut
    return None


class StackRows:
    """The tree, a row for each stack; `[` and `]` walk it."""

    def __init__(self, scene: SceneView) -> None:
        self.scene = scene
        self._branches = _branches(scene.exceptions)

    def __len__(self) -> int:
        return len(self.scene.exceptions) + len(self.scene.stacks)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        mark = ("▸ " if selected else "  ", "accent")
        count = len(self.scene.exceptions)
        if index >= count:
            return [mark, *_stack_line(self.scene.stacks[index - count])]
        return [mark, (self._branches[index], "dim"), *_exception_line(self.scene.exceptions[index])]


def _exception_line(exception: ExceptionView) -> Line:
    line: Line = [(_SHORT.get(exception.relation, ""), "warn")]
    if exception.members:
        cut = f", {exception.members_cut} not kept" if exception.members_cut else ""
        line.append((f"⊞ {exception.members + exception.members_cut}{cut} in ", "warn"))
    elif not exception.relation or exception.relation == "group":
        line.append(("✖ ", "error"))
    return [*line, (failure_title(exception.type, exception.message), "error")]


def _stack_line(stack: StackView) -> Line:
    own = [frame for frame in stack.frames if frame.in_app] or list(stack.frames)
    where = f" {clean(os.path.basename(own[-1].file))}:{own[-1].line}" if own else ""
    said = _state_of(stack)
    state = f" · {clean(said)}" if said else ""
    return [(f"≈ {stack.kind} ", "dim"), (clean(stack.name), "name"), (where, "path"), (state, "dim")]


def _state_of(stack: StackView) -> str:
    """What it failed with, or what it does; and what it waits for."""
    text, error = stack.state, stack.exception
    if error is not None:
        title = failure_title(error.type, error.message)
        text = f"{RELATIONS[error.relation]} {title}" if error.relation in RELATIONS else f"✖ {title}"
    return f"{text}, awaits {stack.awaits}" if stack.awaits else text


def _branches(exceptions: Sequence[ExceptionView]) -> list[str]:
    """The tree's lines before each row, by how deep the rows are. What a member was raised from is no branch
    of its own: it stands under the member."""
    result: list[str] = []
    open_below: set[int] = set()  # depths at which a later member of the same group follows
    for exception in reversed(exceptions):
        depth = exception.depth
        above = "".join("│ " if level in open_below else "  " for level in range(1, depth))
        if not depth:
            result.append("")
            open_below = set()
        elif exception.relation in _SHORT:
            result.append(above + ("│ " if depth in open_below else "  "))
            open_below = {level for level in open_below if level <= depth}
        else:
            result.append(above + ("├ " if depth in open_below else "└ "))
            open_below = {level for level in open_below if level < depth} | {depth}
    return result[::-1]
