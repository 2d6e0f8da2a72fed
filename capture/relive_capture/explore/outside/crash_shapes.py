"""What tells one crash from another at its place: the signal, and the line that stood there."""

from __future__ import annotations

import os

from relive_base.redaction.redactor import Redactor

from relive_capture.record.exceptions.signatures import message_shape
from relive_capture.record.frames import InApp, SourceCache, SourceFiles

__all__ = ["crash_shapes", "line_of"]

_MAX_LINE = 600


def crash_shapes(kind: str, message: str, line: str) -> list[str]:
    """[failing line, message's shape, which names the signal]; nothing for what did not crash."""
    if kind != "signal":
        return []
    return ["".join(line.split()).replace("'", '"')[:_MAX_LINE], message_shape(message)]


def line_of(file: str, line: int, in_app: InApp) -> str:
    """The line's text; "" if the file is none of the function's own program: the report may name any."""
    path = os.path.realpath(file)
    if line < 1 or not path.endswith(".py") or not in_app.place(path)[0]:
        return ""
    lines, _ = SourceFiles(0, SourceCache(Redactor())).excerpt(path, line, 0, whole=False)
    return lines[0] if lines else ""
