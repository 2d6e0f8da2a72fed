"""Answers about a scene, for a debugger whose face is an editor. Nothing is ever executed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from relive_base.values import ValueNode, render
from relive_base.wire.inspection import (
    FRAMES_OF_A_STACK,
    PAGE,
    Answer,
    Ask,
    Children,
    Cut,
    ErrorAt,
    Errors,
    Evaluate,
    FrameAt,
    FrameList,
    Frames,
    Problem,
    Raised,
    Scope,
    ScopeList,
    Scopes,
    Select,
    Source,
    StackList,
    Stacks,
    Text,
    Value,
    Values,
    page,
)

from relive_capture.explore.errors import SceneError
from relive_capture.explore.postmortem.evaluate import CannotEvaluate, Evaluator, Result
from relive_capture.explore.postmortem.place import exception_entries, title, type_title
from relive_capture.explore.postmortem.trees import Trees
from relive_capture.explore.scene import SceneFile
from relive_capture.model import ExceptionView, FrameView

__all__ = ["SceneInspector"]

_HELD: Final = 100_000
_STACKS: Final = 300
_LINE_CHARS: Final = 1_000
_WHOLE_CHARS: Final = 65_536
_SOURCE_CHARS: Final = 400_000
_NUMBER: Final = re.compile(r"\[[0-9]+\]")


class SceneInspector:
    """Of one scene."""

    def __init__(self, scene: SceneFile) -> None:
        """Raises SceneError."""
        self._scene = scene
        self._stacks: list[tuple[str, list[FrameView], ExceptionView | None]] = []
        entries = exception_entries(scene)
        self._shown = max(place for place, entry in enumerate(entries) if not entry.level or not place)
        self._stacks += [(title(entry.view)[:200], entry.view.frames, entry.view) for entry in entries]
        for thread in scene.threads[: max(_STACKS - len(self._stacks), 0)]:
            self._stacks.append((f"thread {thread.name}", thread.frames, None))
        frames = [frame for _, stack, _ in self._stacks for frame in stack]
        self._trees = Trees(node for frame in frames for _, node in frame.locals)
        self._held: list[tuple[list[tuple[str, ValueNode]], int, str]] = []

    def answer(self, asked: Ask) -> Answer:
        """Never raises Exception."""
        try:
            found: Answer = _ANSWERS[type(asked)](self, asked)
            return found
        except LookupError:
            return Problem("this is not there")
        except (SceneError, CannotEvaluate) as error:
            return Problem(str(error)[:2_000], "raised")

    def _list_stacks(self, _asked: Stacks) -> Answer:
        return StackList([name for name, _, _ in self._stacks], self._shown, "(scene)")

    def _frames(self, asked: Frames) -> Answer:
        stack = self._stacks[asked.stack][1]
        total = len(stack)
        first = total - 1 - max(asked.start, 0)
        found = [
            FrameAt(
                asked.stack * FRAMES_OF_A_STACK + index,
                frame.function,
                frame.file,
                frame.file,
                frame.line,
                frame.column,
                frame.in_app,
            )
            for index in range(first, max(first - page(asked.count), -1), -1)
            for frame in (stack[index],)
        ]
        return FrameList(found, total)

    def _frame(self, number: int) -> FrameView:
        stack, index = divmod(number, FRAMES_OF_A_STACK)
        if number < 0:
            raise LookupError
        return self._stacks[stack][1][index]

    def _scopes(self, asked: Scopes) -> Answer:
        frame = self._frame(asked.frame)
        reference = self._hold(frame.locals, frame.locals_more, "")
        scopes = [Scope("Locals", reference, len(frame.locals))]
        error = self._stacks[asked.frame // FRAMES_OF_A_STACK][2]
        if error is not None and error.attributes:
            held = self._hold(error.attributes, error.attributes_more, "")
            scopes.append(Scope("Exception", held, len(error.attributes), costly=True))
        return ScopeList(scopes)

    def _hold(self, rows: list[tuple[str, ValueNode]], more: int, path: str) -> int:
        if len(self._held) >= _HELD:
            return 0
        self._held.append((rows, more, path))
        return len(self._held)

    def _children(self, asked: Children) -> Answer:
        if not 1 <= asked.reference <= len(self._held):
            raise LookupError
        all_rows, more, path = self._held[asked.reference - 1]
        rows = [row for row in all_rows if asked.which in ("", "indexed" if _is_item(row[0]) else "named")]
        start, count = max(asked.start, 0), page(asked.count)
        shown = rows[start : start + count]
        values = [self._value(name, node, _joined(path, name)) for name, node in shown]
        left = len(rows) - start - len(shown)
        if more and not left and asked.which != "named":
            return Values(values, Cut(more, "cut at capture"))
        return Values(
            values, Cut(left, f"{PAGE:,} values at a time") if left > 0 and not asked.count else None
        )

    def _value(self, name: str, node: ValueNode, path: str, chars: int = _LINE_CHARS) -> Value:
        whole = self._trees.whole(node)
        items = sum(_is_item(label) for label, _ in whole.children)
        reference = self._hold(whole.children, whole.more, path) if whole.children or whole.more else 0
        return Value(
            name[:_LINE_CHARS],
            render(node, chars),
            node.type[:_LINE_CHARS],
            reference,
            len(whole.children) - items,
            items,
            path[:_LINE_CHARS],
        )

    def _evaluate(self, asked: Evaluate) -> Answer:
        frame = self._frame(asked.frame)
        text = asked.text.strip()
        names = dict(frame.locals)
        try:
            found: Result = Evaluator(names, self._trees, frame.locals_more).evaluate(text)
        except CannotEvaluate as error:
            return Problem(str(error), "name" if text.isidentifier() else "raised")
        if isinstance(found, ValueNode):
            return Values([self._value(text, found, text, _WHOLE_CHARS if asked.whole else _LINE_CHARS)])
        return Values([Value(text, repr(found)[:_WHOLE_CHARS], type(found).__name__)])

    def _source(self, asked: Source) -> Answer:
        text = self._scene.source(asked.file)
        if text:
            return Text(text[:_SOURCE_CHARS], max(len(text) - _SOURCE_CHARS, 0))
        for _, stack, _ in self._stacks:
            for frame in stack:
                if frame.file == asked.file and frame.source:
                    return Text("\n" * (frame.source_first_line - 1) + "\n".join(frame.source) + "\n")
        return Problem("the scene has no text of this file")

    def _select(self, asked: Select) -> Answer:
        self._frame(asked.frame)
        return Text()

    def _raised(self, asked: Raised) -> Answer:
        error = self._stacks[asked.stack][2]
        if error is None:
            return Errors([])
        raised = self._scene.exceptions
        place = next((place for place, view in enumerate(raised) if view is error), -1)
        chain = [error, *error.chain] if place < 0 else raised[place:]
        return Errors(
            [ErrorAt(type_title(view), view.message, view.relation, _traceback(view)) for view in chain]
        )


_ANSWERS: Final[dict[type, Callable[[SceneInspector, Any], Answer]]] = {
    Stacks: SceneInspector._list_stacks,
    Frames: SceneInspector._frames,
    Scopes: SceneInspector._scopes,
    Children: SceneInspector._children,
    Evaluate: SceneInspector._evaluate,
    Source: SceneInspector._source,
    Select: SceneInspector._select,
    Raised: SceneInspector._raised,
}


def _is_item(label: str) -> bool:
    return label.startswith("[")


def _joined(path: str, label: str) -> str:
    """The expression for a child, as the evaluator of a scene reads it: by attribute, by number, by key."""
    if not path:
        return label if label.isidentifier() else ""
    return path + label if _NUMBER.fullmatch(label) else ""


def _traceback(view: ExceptionView) -> str:
    lines = []
    for frame in view.frames:
        lines.append(f"  File {frame.file!r}, line {frame.line}, in {frame.function}")
        index = frame.line - frame.source_first_line
        if 0 <= index < len(frame.source):
            lines.append(f"    {frame.source[index].strip()}")
    return "\n".join(lines)
