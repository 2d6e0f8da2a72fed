"""What an invocation found: globals that earlier ones have left in its worker, and files that it read."""

from __future__ import annotations

import os
from typing import Final

from relive_base.terminal import one_line

from relive_capture.explore.text.lines import Line
from relive_capture.recording_format import REFUSALS, RecordedFile, ReplayNotes

__all__ = ["file_lines", "left_lines"]

_SHOWN: Final = 8
_WHY: Final = {
    "looked": "not opened",
    "large": "too large to be kept",
    "changed": "changed before the failure, not kept",
    "denied": "not readable",
    "secret": "secret by its name, not kept",
    "packed": "compressed, not kept",
}


def left_lines(notes: ReplayNotes | None, width: int) -> list[Line]:
    """Which globals differ from those of a fresh worker, with their values at the failure."""
    if notes is None or not notes.served or not notes.left:
        return []
    served = f"{notes.served:,} invocation{'s' * (notes.served > 1)}"
    lines = [Line(""), Line("Left by earlier invocations", "heading")]
    lines.append(Line(one_line(f"  the worker had served {served}; not as in a fresh one:", width)))
    for name in notes.left[:_SHOWN]:
        text = f" = {notes.globals[name]}" if name in notes.globals else ""
        lines.append(Line(one_line(f"    {name}{text}", width), "local"))
    return lines + _more(len(notes.left))


def file_lines(notes: ReplayNotes | None, width: int) -> list[Line]:
    """What it read, outside of its code."""
    files = notes.init_files + notes.files if notes is not None else []
    files = [file for file in files if file.kind != "folder" or file.listed or file.why or file.refused]
    if not files:
        return []
    lines = [Line(""), Line("Files", "heading")]
    lines += [Line(one_line(f"  {file.path}  {_what(file)}", width)) for file in files[:_SHOWN]]
    return lines + _more(len(files))


def _more(count: int) -> list[Line]:
    return [Line(f"    and {count - _SHOWN} more")] if count > _SHOWN else []


def _what(file: RecordedFile) -> str:
    refused = f", not to be changed: {os.strerror(file.refused)}" if file.refused in REFUSALS else ""
    turned = ", came while it ran" if file.came_after else ", went while it ran" if file.went_after else ""
    return _found(file) + turned + refused


def _found(file: RecordedFile) -> str:
    if file.kind == "absent":
        return "not there"
    if file.kind == "folder":
        return _WHY.get(file.why, f"{len(file.names):,} names")
    size = f"{file.size:,} bytes"
    return f"{size}, {_WHY[file.why]}" if file.why in _WHY else size
