"""The traceback as text, in Python's own form, made from recorded frames alone."""

from __future__ import annotations

from relive_capture.model import ExceptionView, FrameView

__all__ = ["traceback_text"]

_MAX_CHARS = 16_000
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
    for number, frame in enumerate(view.frames):
        if view.frames_cut and number == view.frames_cut_at:
            lines.append(f"  … {view.frames_cut} frames left out …")
        lines.append(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
        text = _line(frame)
        if text:
            lines.append(f"    {text}")
    name = f"{view.module}.{view.type}" if view.module not in ("", "builtins", "__main__") else view.type
    lines.append(f"{name}: {view.message}" if view.message else name)
    lines.extend(view.notes)
    for member in view.group:
        lines.extend(f"  | {line}" for line in _chain([member, *member.chain]).splitlines())
    return "\n".join(lines) + "\n"


def _line(frame: FrameView) -> str:
    index = frame.line - frame.source_first_line
    return frame.source[index].strip() if 0 <= index < len(frame.source) else ""
