"""Where a read-only session stands: which exception, which frame; and the source around it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Final

from relive_base.source_text import split_source

from relive_capture.explore.scene import SceneFile
from relive_capture.model import ExceptionView, FrameView, every_exception

__all__ = [
    "Entry",
    "Function",
    "Place",
    "exception_entries",
    "function_at",
    "source_of",
    "title",
    "type_title",
]

ENTRIES: Final = 200
_SOURCE_CHARS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An exception of the chain, or a member of a group (`level` deep) or what that was raised from."""

    view: ExceptionView
    level: int = 0


@dataclass(frozen=True, slots=True)
class Function:
    """The function around a line: its first and last line, and its arguments' names."""

    first: int
    last: int
    arguments: tuple[str, ...] = ()


class Place:
    """An exception and one of its frames."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.number = next((i for i in range(len(entries) - 1, -1, -1) if not entries[i].level), 0)
        self.index = 0
        self.go_to(self.number)

    @property
    def view(self) -> ExceptionView:
        return self.entries[self.number].view

    @property
    def frame(self) -> FrameView | None:
        """None if the exception has no frames."""
        frames = self.view.frames
        return frames[self.index] if frames else None

    def go_to(self, number: int) -> None:
        """Another exception, at the innermost frame of the user's own code."""
        self.number = number
        own = [index for index, frame in enumerate(self.view.frames) if frame.in_app]
        self.index = own[-1] if own else max(len(self.view.frames) - 1, 0)

    def move(self, step: int) -> bool:
        """Along the frames, as far as there are any; False if it cannot move at all."""
        target = min(max(self.index + step, 0), max(len(self.view.frames) - 1, 0))
        moved = target != self.index
        self.index = target
        return moved


def exception_entries(scene: SceneFile) -> list[Entry]:
    """What was raised last, and before it what it was raised from, with members of groups below theirs, and
    what these were raised from below them."""
    entries: list[Entry] = []
    for view in reversed(scene.exceptions):
        # Before its own group's members, the group itself: it is what was raised.
        entries.append(Entry(view))
        entries += [Entry(inner, level + 1) for inner, level in every_exception(view.group)][:ENTRIES]
    return entries[-ENTRIES:]


def source_of(scene: SceneFile, frame: FrameView) -> tuple[list[str], int]:
    """(lines, number of the first): the whole file if the scene has it, else what is around the line."""
    text = scene.source(frame.file)[:_SOURCE_CHARS]
    if text:
        return split_source(text), 1
    return list(frame.source), frame.source_first_line


def function_at(lines: list[str], first: int, frame: FrameView) -> Function | None:
    """The function that the frame's line is in; None if the file cannot be told apart."""
    if first != 1:
        return None
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    best: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = node.lineno <= frame.line <= (node.end_lineno or node.lineno)
            if inside and (best is None or node.lineno >= best.lineno):
                best = node
    if best is None:
        return None
    given = best.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [extra.arg for extra in (given.vararg, given.kwarg) if extra is not None]
    start = min([best.lineno, *(decorator.lineno for decorator in best.decorator_list)])
    return Function(start, best.end_lineno or best.lineno, tuple(names))


def type_title(view: ExceptionView) -> str:
    """A type's name, after its module if it is neither of Python nor of `__main__`."""
    return view.type if view.module in ("", "builtins", "__main__") else f"{view.module}.{view.type}"


def title(view: ExceptionView) -> str:
    """As the last line of a traceback says it."""
    return f"{type_title(view)}: {view.message}" if view.message else type_title(view)
