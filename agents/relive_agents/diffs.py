"""A unified diff as edits. The text of a hunk counts, not its numbers, which are often off by a few: they say
only which of several places is meant. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relive_base.errors import UsageError
from relive_base.terminal import one_line

__all__ = ["Edit", "edits_of", "replaced"]

_HUNK: Final = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")
_HINT: Final = "give --- a/FILE, +++ b/FILE, and hunks with the lines as they are in the file"
_NOWHERE: Final = "/dev/null"


@dataclass(frozen=True, slots=True)
class Edit:
    """`old`, which is in the file once, becomes `new`; "" makes a new file. `line`: about where it is, if it
    may be there more than once; 0: not known."""

    file: str
    old: str
    new: str
    line: int = 0


def edits_of(diff: str) -> list[Edit]:
    """Of each hunk. Raises UsageError."""
    lines = [line.removesuffix("\r") for line in diff.rstrip("\r\n").split("\n")]
    edits = [hunk.edit() for hunk in _hunks(lines)]
    if not edits:
        raise UsageError("the patch has no hunk", hint=_HINT)
    return edits


def replaced(text: str, edit: Edit) -> str:
    """The text with the edit. Raises UsageError."""
    if edit.line and edit.old not in text and not text.endswith("\n"):
        text += "\n"  # of its last line a patch seldom says that it has none
    count = text.count(edit.old)
    named = one_line(edit.file, 100)
    if count == 0 or (count > 1 and not edit.line):
        raise UsageError(
            f"old is in {named} {count} times, and must be there once",
            hint="give more of the lines around it",
        )
    at = min(_places(text, edit.old), key=lambda at: abs(text.count("\n", 0, at) + 1 - edit.line))
    return text[:at] + edit.new + text[at + len(edit.old) :]


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


@dataclass(slots=True)
class _Hunk:
    source: str
    target: str
    line: int
    lines: list[str]

    def edit(self) -> Edit:
        """Raises UsageError."""
        if not self.target or self.target == _NOWHERE:
            raise UsageError("a patch makes files and changes them, nothing else", hint=_HINT)
        while self.lines and not self.lines[-1]:  # between two files; an empty line of a file has a mark
            self.lines.pop()
        old, new = self._side("-"), self._side("+")
        made = self.source == _NOWHERE
        return Edit(self.target, "" if made else old, new, 0 if made else max(self.line, 1))

    def _side(self, mark: str) -> str:
        text = ""
        before = ""
        for line in self.lines:
            if line[:1] == "\\" and before in (mark, " "):
                text = text.removesuffix("\n")  # no newline at the end of the file
            elif line[:1] in (mark, " ", ""):
                text += f"{line[1:]}\n"
            elif line[:1] not in ("-", "+", "\\"):
                raise UsageError(f"{one_line(line, 80)} is no line of a hunk", hint=_HINT)
            before = line[:1] or " "
        return text


def _hunks(lines: list[str]) -> Iterator[_Hunk]:
    source = target = ""
    hunk: _Hunk | None = None
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        found = _HUNK.match(line)
        heads = line.startswith("--- ") and after.startswith("+++ ")
        if hunk is not None and (found or heads or line.startswith("diff --git ")):
            yield hunk
            hunk = None
        if found:
            hunk = _Hunk(source, target, int(found[1]), [])
        elif hunk is not None:
            hunk.lines.append(line)
        elif heads:
            source, target = _file(line[4:]), _file(after[4:])
    if hunk is not None:
        yield hunk


def _file(name: str) -> str:
    name = name.partition("\t")[0].strip()
    return name[2:] if name[:2] in ("a/", "b/") else name
