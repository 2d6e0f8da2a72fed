"""A log line as people read it: time, level, function, invocation, text, and its traceback below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import click
from relive_base.terminal import escape_terminal, padded
from rich.cells import cell_len

from relive.output import format_clock, format_time, styled
from relive.output.wrapping import wrapped

__all__ = ["LineForm"]

_LIVE_DIGITS: Final = 18  # of an id whose neighbours are not known yet
_NARROW: Final = 110
_INDENT: Final = 4
_LINE_END: Final = "\n" + " " * _INDENT
_TRACEBACK_LINES: Final = 40
_TRACEBACK_HEAD: Final = 6
_COLOURS: Final = {"ERROR": "bold red", "FATAL": "bold red", "WARN": "yellow", "DEBUG": "dim", "TRACE": "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineForm:
    """How lines are shown. `function`, `invocation`: whether each line names them; `short`: ids -> what is
    shown of them; `function_width`: cells that a name is padded to; `width`: cells of the terminal, None for
    a pipe, whose lines are never broken."""

    tracebacks: bool = True
    function: bool = True
    invocation: bool = True
    short: Mapping[str, str] = field(default_factory=dict)
    function_width: int = 0
    width: int | None = None
    colour: bool = False

    def lines(self, row: Mapping[str, Any]) -> Iterator[str]:
        """What to print for `row`, a field of `relive logs --json` each; safe for a terminal."""
        head = self._head(row)
        body = escape_terminal(row["body"])
        plain = " ".join(text for text, _ in head)
        shown = " ".join(styled(text, style) for text, style in head)
        if self.width is None:
            # Lines of their own would pass for lines of somebody else.
            yield f"{shown}  {body.rstrip(chr(10)).replace(chr(10), _LINE_END)}"
        else:
            first, *rest = wrapped(body, self.width - cell_len(plain) - 2, self.width - _INDENT)
            yield f"{shown}  {first}"
            yield from (f"{'':{_INDENT}}{line}" for line in rest)
        for line in _folded(row["stacktrace"]) if self.tracebacks else ():
            yield click.style(f"{'':{_INDENT}}{escape_terminal(line)}", dim=True)

    def _head(self, row: Mapping[str, Any]) -> list[tuple[str, str]]:
        narrow = self.width is not None and self.width < _NARROW
        severity = row["severity"]
        head = [
            (format_clock(row["timestamp_ns"]) if narrow else format_time(row["timestamp_ns"]), "dim"),
            (f"{severity:<5}", _COLOURS.get(severity, "")),
        ]
        if self.function:
            head.append((padded(escape_terminal(row["function"]), self.function_width), "bold"))
        if self.invocation:
            ident = row["invocation_id"]
            head.append((escape_terminal(self.short.get(ident, ident[:_LIVE_DIGITS])), "cyan"))
        return head


def _folded(stacktrace: str) -> list[str]:
    """The lines of a traceback; of a long one its beginning and, longer, its end, which names the error."""
    lines = stacktrace.rstrip("\n").split("\n") if stacktrace else []
    left_out = len(lines) - _TRACEBACK_LINES
    if left_out <= 0:
        return lines
    return [
        *lines[:_TRACEBACK_HEAD],
        f"  … {left_out} more lines (--json has all) …",
        *lines[_TRACEBACK_HEAD + left_out :],
    ]
