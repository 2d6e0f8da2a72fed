"""On which line of a TOML text a key stands.

`tomllib` does not tell, and an error has to name a line. This scanner knows headers, dotted and quoted
keys, strings and brackets; it reads text that tomllib has already accepted, so it checks nothing itself.
Keys inside an inline table or an inline array stand, for it, on the line where the value begins.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

__all__ = ["KeyPath", "find_line", "key_lines"]

KeyPath = tuple[str | int, ...]

_BARE_END = " \t=.]\r\n#"


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.lines: dict[KeyPath, int] = {}
        self.arrays: dict[KeyPath, int] = {}  # arrays of tables -> index of the newest element
        self.table: KeyPath = ()

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def skip(self, count: int = 1) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count

    def skip_blank(self, characters: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.skip()

    def skip_comment(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def skip_string(self) -> str:
        """Past a string of any of the four kinds; gives what is between the quotes, escapes as they stand."""
        quote = self.peek()
        mark = quote * 3 if self.peek(3) == quote * 3 else quote
        self.skip(len(mark))
        start = self.at
        while self.at < len(self.text) and self.peek(len(mark)) != mark:
            self.skip(2 if quote == '"' and self.peek() == "\\" else 1)
        value = self.text[start : self.at]
        self.skip(len(mark))
        # Up to two quotes may stand right before the closing mark of a multi-line string.
        while len(mark) == 3 and self.peek() == quote:
            self.skip()
        return value

    def skip_value(self) -> None:
        """Past a value: to the end of the line at bracket depth 0."""
        depth = 0
        while self.at < len(self.text):
            character = self.peek()
            if character in "\"'":
                self.skip_string()
                continue
            if character == "#":
                self.skip_comment()
                continue
            if character == "\n" and depth == 0:
                return
            depth += (character in "[{") - (character in "]}")
            self.skip()

    def key(self) -> tuple[str, ...]:
        """A dotted key."""
        parts = []
        while True:
            self.skip_blank(" \t")
            if self.peek() in ("'", '"'):
                raw, basic = (self.peek() == "'"), self.skip_string()
                parts.append(basic if raw else _unescape(basic))
            else:
                start = self.at
                while self.at < len(self.text) and self.text[self.at] not in _BARE_END:
                    self.at += 1
                parts.append(self.text[start : self.at])
            self.skip_blank(" \t")
            if self.peek() != ".":
                return tuple(parts)
            self.skip()

    def resolve(self, base: KeyPath, parts: Sequence[str]) -> KeyPath:
        """`parts` below `base`; a step through an array of tables means its newest element."""
        path = base
        for part in parts:
            path = (*path, part)
            if path in self.arrays:
                path = (*path, self.arrays[path])
        return path

    def header(self, line: int) -> None:
        array = self.peek(2) == "[["
        self.skip(2 if array else 1)
        parts = self.key()
        if array:
            path: KeyPath = (*self.resolve((), parts[:-1]), parts[-1])
            index = self.arrays[path] = self.arrays.get(path, -1) + 1
            self.lines.setdefault(path, line)
            path = (*path, index)
        else:
            path = self.resolve((), parts)
        self.table = path
        self.note(path, line)
        self.skip_comment()

    def note(self, path: KeyPath, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def run(self) -> dict[KeyPath, int]:
        while True:
            self.skip_blank(" \t\r\n")
            if self.at >= len(self.text):
                return self.lines
            line = self.line
            if self.peek() == "#":
                self.skip_comment()
            elif self.peek() == "[":
                self.header(line)
            else:
                before = self.at
                self.note(self.resolve(self.table, self.key()), line)
                self.skip_value()
                if self.at == before:  # not TOML; never loop
                    self.skip()


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(tomllib.loads(f'key = "{text}"')["key"])
    except tomllib.TOMLDecodeError:  # only in text that is not TOML; any name will do
        return text


def key_lines(text: str) -> dict[KeyPath, int]:
    """Every key path of a valid TOML text -> its 1-based line. Paths go through arrays of tables by index."""
    return _Scanner(text).run()


def find_line(lines: dict[KeyPath, int], path: KeyPath) -> int:
    """The line of `path`, or of its nearest ancestor that stands in the text; 0 if there is none."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 0
