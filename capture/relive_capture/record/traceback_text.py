"""The traceback as text, in Python's own form, made from recorded frames alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from relive_capture.model import ExceptionView, FrameView

__all__ = ["traceback_text"]

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


def _chain(exceptions: list[ExceptionView]) -> str:
    parts: list[str] = []
    for view in reversed(exceptions):
        parts.append(_one(view))
        if view.relation in _BETWEEN:
            parts.append(_BETWEEN[view.relation])
    return "".join(parts)


def _one(view: ExceptionView) -> str:
    lines: list[str] = []
    if view.frames:
        lines.append("Traceback (most recent call last):")
    lines.extend(_frames(view))
    name = f"{view.module}.{view.type}" if view.module not in ("", "builtins", "__main__") else view.type
    lines.append(f"{name}: {view.message}" if view.message else name)
    lines.extend(view.notes)
    for member in view.group:
        lines.extend(f"  | {line}" for line in _chain([member, *member.chain]).splitlines())
    return "\n".join(lines) + "\n"


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
