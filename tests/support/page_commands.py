"""The commands that a page of documentation tells its reader to type, and what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

__all__ = ["Reader", "Source", "Step", "steps"]

_LIMIT_S = 300.0
_FENCE = re.compile(r'```\w+ title="([^"]+)"')
_FAILS = re.compile(r"✖|Error\b|Exceeded\b|\bfailed\b")
_BARS = re.compile(r"[━─]+")
_AMOUNT = re.compile(r"\d[\d.,]*( ?(ns|us|ms|s|B|KB|MB|GB)\b)?")
_ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f-]{27}|[0-9a-f]*)(?![0-9A-Za-z])")


@dataclass(frozen=True)
class Step:
    """One command, and the lines that the page shows below it."""

    command: str
    shown: list[str] = field(default_factory=list)

    @property
    def may_fail(self) -> bool:
        """The page shows a failure: the exit status may be 1."""
        return any(_FAILS.search(line) for line in self.shown)


@dataclass(frozen=True)
class Source:
    """A file that the page tells to write: a fenced block with `title="PATH"`."""

    path: str
    text: str


def steps(page: Path) -> Iterator[Step | Source]:
    """The files and commands of the page, in its order.

    A command is a line that begins with `$ ` in an indented block; the lines below it are what it prints.
    """
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    current: Step | None = None
    for line in lines:
        fence = _FENCE.match(line)
        if current is not None and line and (line.startswith("    $ ") or not line.startswith("    ")):
            yield current
            current = None
        if fence:
            yield Source(fence.group(1), "".join(f"{text}\n" for text in takewhile(_is_inside, lines)))
        elif line.startswith("    $ "):
            current = Step(line.removeprefix("    $ "))
        elif current is not None and line.strip() not in ("", "..."):
            current.shown.append(line)
    if current is not None:
        yield current


def _is_inside(line: str) -> bool:
    return not line.startswith("```")


@dataclass
class Reader:
    """Somebody who types what a page says: in one folder, with one home, one command after the other."""

    folder: Path
    home: Path
    environment: Mapping[str, str]
    instead: Mapping[str, str]
    """Text of a command -> what stands for it here: a free port, the package that has just been built."""
    before: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    """How a command begins -> what has happened by the time at which a person has typed it."""

    def follow(self, page: Path) -> int:
        """Do all that the page says; gives the number of commands."""
        count = 0
        for step in steps(page):
            if isinstance(step, Source):
                path = self.folder / step.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.text, encoding="utf-8")
            else:
                self.type(step)
                count += 1
        return count

    def type(self, step: Step) -> str:
        """Run the command; gives its output. It must end well, and print every line that the page shows."""
        command = step.command
        for text, happens in self.before.items():
            if command.startswith(text):
                happens()
        for text, other in self.instead.items():
            if text in command:
                command = command.replace(text, other)
                break
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={**os.environ, **self.environment, "RELIVE_HOME": str(self.home), "COLUMNS": "140"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT_S,
        )
        assert done.returncode in ((0, 1) if step.may_fail else (0,)), f"{command}\n{done.stdout}"
        printed = {self._normal(line) for line in done.stdout.splitlines()}
        missing = [line for line in step.shown if self._normal(line) not in printed]
        assert not missing, f"{command} does not print {missing}, but\n{done.stdout}"
        return done.stdout

    def _normal(self, line: str) -> str:
        """The line without what differs from run to run: ids, numbers, bars, widths, places."""
        line = line.replace(str(self.home), "/home/you/.local/share/relive")
        line = line.replace(str(self.folder), "/home/you")
        for pattern in (_ID, _BARS, _AMOUNT):
            line = pattern.sub("#" if pattern is not _BARS else "", line)
        return " ".join(line.split())
