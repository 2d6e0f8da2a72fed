"""The traceback as text, in Python's own form, made from recorded frames alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from relive_capture.model import ExceptionView, FrameView

__all__ = ["exception_lines", "traceback_text"]

_MAX_CHARS = 16_000
_RECURRING = 3  # frames that are shown of one that recurs
_BETWEEN = {
    "cause": "\nThe above exception was the direct cause of the following exception:\n\n",
    "context": "\nDuring handling of the above exception, another exception occurred:\n\n",
}


def traceback_text(exceptions: list[ExceptionView]) -> str:
    """The chain as Python prints it (causes first), at most 16,000 characters: the end is what matters, so
    the beginning is cut."""
    text = _chain(exceptions)
    return text if len(text) <= _MAX_CHARS else "…\n" + text[-(_MAX_CHARS - 2) :]


def _chain(exceptions: list[ExceptionView], depth: int = 0) -> str:
    parts: list[str] = []
    for view in reversed(exceptions):
        parts.append(_group(view, depth) if view.group else _one(view, depth))
        if view.relation in _BETWEEN:
            parts.append(_margin(_BETWEEN[view.relation], depth))
    return "".join(parts)


def exception_lines(view: ExceptionView) -> list[str]:
    """What Python prints after the frames: of a SyntaxError its place, the message, the notes."""
    name = f"{view.module}.{view.type}" if view.module not in ("", "builtins", "__main__") else view.type
    return [*view.place, f"{name}: {view.message}" if view.message else name, *view.notes]


def _one(view: ExceptionView, depth: int) -> str:
    head = ["Traceback (most recent call last):"] if view.frames else []
    return _margin("\n".join([*head, *_frames(view), *exception_lines(view)]) + "\n", depth)


def _group(view: ExceptionView, depth: int) -> str:
    """A group, its members within a margin, as the traceback module draws it."""
    inner = max(depth, 1)
    text = ""
    if view.frames:
        head = _margin("Exception Group Traceback (most recent call last):\n", inner)
        text = head if depth else "  +" + head[3:]
    text += _margin("\n".join([*_frames(view), *exception_lines(view)]) + "\n", inner)
    indent = "  " * inner
    for number, member in enumerate(view.group):
        text += f"{indent}{'  ' if number else '+-'}+---------------- {number + 1} ----------------\n"
        text += _chain([member, *member.chain], inner + 1)
    if view.group_more:
        text += f"{indent}  +---------------- ... ----------------\n"
        text += _margin(f"and {view.group_more} more exception{'s'[: view.group_more > 1]}\n", inner + 1)
    if not (view.group and view.group[-1].group and not view.group_more):  # else that one has drawn it
        text += f"{indent}  +------------------------------------\n"
    return text


def _margin(text: str, depth: int) -> str:
    if not depth:
        return text
    indent = "  " * depth
    return "".join(f"{indent}| {line}" for line in text.splitlines(keepends=True))


def _frames(view: ExceptionView) -> Iterator[str]:
    """Each frame; of one that recurs in a row the first three, and how many more, as Python has it."""
    cut_at = view.frames_cut_at if view.frames_cut else -1
    number = 0
    for (begun, *_), group in itertools.groupby(
        enumerate(view.frames),
        lambda pair: (0 <= cut_at <= pair[0], pair[1].file, pair[1].line, pair[1].function),
    ):
        frames = [frame for _, frame in group]
        if begun and number == cut_at:
            yield f"  … {view.frames_cut} frames left out …"
        for frame in frames[:_RECURRING]:
            yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
            if text := _line(frame):
                yield f"    {text}"
        if (more := len(frames) - _RECURRING) > 0:
            yield f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]"
        number += len(frames)


def _line(frame: FrameView) -> str:
    index = frame.line - frame.source_first_line
    return frame.source[index].strip() if 0 <= index < len(frame.source) else ""
