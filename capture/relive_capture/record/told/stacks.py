"""Stacks that other languages print, as frames: file, line and function, as far as the text has them."""

from __future__ import annotations

from typing import Final, NamedTuple

from relive_base.patterns import LazyPattern

__all__ = ["ToldFrame", "ToldValue", "parse_stack"]

MAX_LINES: Final = 2_000
MAX_FRAMES: Final = 500
_MAX_LINE: Final = 2_000  # characters: a longer one is no frame
_FILE_URL: Final = "file://"


class ToldValue(NamedTuple):
    """A local: its type in its own language, and what it looks like."""

    name: str
    type: str
    text: str


class ToldFrame(NamedTuple):
    """One frame. `column` counts from 0; -1: not told."""

    file: str
    line: int
    function: str
    column: int = -1
    values: tuple[ToldValue, ...] = ()


# Each has `file` and `line`, and `function` or `column` if the language tells them. No two can match the same
# line, and none has two parts beside each other that match the same text: what is matched is hostile.
_NODE: Final = LazyPattern(
    r"\s+at (?:(?P<function>[^\s(][^(]*) \()?(?:async )?(?P<file>(?:file://|/|node:|[\w.@-])[^()]*):(?P<line>\d+)"
    r":(?P<column>\d+)\)?\s*"
)
_PYTHON: Final = LazyPattern(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?\s*')
_FAULT: Final = LazyPattern(
    r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)'
)  # innermost first
_JAVA: Final = LazyPattern(r"\s+at (?P<function>[\w.$<>/]+)\((?P<file>[\w.$-]+\.\w+):(?P<line>\d+)\)\s*")
_DOTNET: Final = LazyPattern(r"\s+at (?P<function>[^()]+)\([^()]*\) in (?P<file>[^:]+):line (?P<line>\d+)\s*")
_RUBY: Final = LazyPattern(
    r"\s*(?:from )?(?P<file>[^\s:'`]+\.rb):(?P<line>\d+):in ['`](?P<function>[^']+)'.*"
)
_PHP: Final = LazyPattern(r"\s*#\d+ (?P<file>[^\s(]+)\((?P<line>\d+)\): (?P<function>[^(]+)\(.*")
_RUST: Final = LazyPattern(r"\s+at (?P<file>[^\s:()]+\.rs):(?P<line>\d+)(?::(?P<column>\d+))?\s*")
_RUST_NAME: Final = LazyPattern(r"\s*\d+: (?:0x[0-9a-f]+ - )?(?P<function>\S.*)")
_GO: Final = LazyPattern(r"\t(?P<file>[^\s:]+):(?P<line>\d+)(?: \+0x.*)?\s*")
_GO_NAME: Final = LazyPattern(
    r"(?:created by )?(?P<function>[\w./*()\[\]{}·-]+?)(?:\([^()]*\))?(?: in goroutine \d+)?"
)
_SHELL: Final = LazyPattern(r"(?P<file>[^\s:]+): line (?P<line>\d+): .*")

_ALONE: Final = (_NODE, _JAVA, _DOTNET, _RUBY, _PHP, _PYTHON, _FAULT, _SHELL)
_SOURCE_LINES: Final = 2  # that may stand between two frames


def parse_stack(text: str) -> list[ToldFrame]:
    """The frames of the first stack in `text`, outermost first; none if it is in no language that is
    known."""
    lines = [line if len(line) <= _MAX_LINE else "" for line in text.split("\n", MAX_LINES)[:MAX_LINES]]
    for own, pattern, names in ((_goroutine(lines), _GO, _GO_NAME), (lines, _RUST, _RUST_NAME)):
        if found := _named_above(own, pattern, names):
            return found[::-1]
    for pattern in _ALONE:
        if found := _alone(lines, pattern):
            return found if pattern is _PYTHON else found[::-1]
    return []


def _alone(lines: list[str], pattern: LazyPattern) -> list[ToldFrame]:
    """Of one stack: lines that are none end it, but for those of source below each."""
    found: list[ToldFrame] = []
    others = 0
    for line in lines:
        match = pattern.fullmatch(line)
        if match is not None:
            found.append(_frame(match.groupdict()))
            others = 0
        elif found:
            others += 1
        if others > _SOURCE_LINES or len(found) >= MAX_FRAMES:
            break
    return found


def _goroutine(lines: list[str]) -> list[str]:
    """Of Go's goroutines the first that runs code of the program's, else the first: the one that panicked
    comes before the others."""
    blocks: list[list[str]] = []
    for line in lines:
        if line.startswith("goroutine "):
            blocks.append([])
        elif blocks and line:
            blocks[-1].append(line)
    own = (block for block in blocks if any(line.startswith("main.") for line in block))
    return next(own, blocks[0] if blocks else [])


def _named_above(lines: list[str], pattern: LazyPattern, names: LazyPattern) -> list[ToldFrame]:
    """Frames whose function is in the line above."""
    found: list[ToldFrame] = []
    for above, line in zip(["", *lines], lines, strict=False):
        match = pattern.fullmatch(line)
        if match is not None and len(found) < MAX_FRAMES:
            name = names.fullmatch(above)
            found.append(_frame({"function": name["function"] if name else "", **match.groupdict()}))
    return found


def _frame(found: dict[str, str | None]) -> ToldFrame:
    file = found.get("file") or ""
    if file.startswith(_FILE_URL):
        from urllib.parse import unquote  # only for Node's modules, and only when one has failed

        file = unquote(file[len(_FILE_URL) :])
    function = (found.get("function") or "").strip()
    column = found.get("column")
    return ToldFrame(
        file,
        int((found["line"] or "0")[:9]),
        function.removeprefix("async "),
        int(column[:9]) - 1 if column else -1,
    )
