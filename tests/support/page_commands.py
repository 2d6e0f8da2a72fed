"""The commands that a page of documentation tells its reader to type, and what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Reader", "Step", "steps"]

_LIMIT_S = 300.0
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


def steps(page: Path) -> Iterator[Step]:
    """Every line that begins with `$ ` in an indented block, in the order of the page."""
    current: Step | None = None
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("    $ "):
            if current is not None:
                yield current
            current = Step(line.removeprefix("    $ "))
        elif current is not None and (line.startswith("    ") or not line):
            if line.strip() not in ("", "..."):
                current.shown.append(line)
        elif current is not None:
            yield current
            current = None
    if current is not None:
        yield current


@dataclass
class Reader:
    """Somebody who types what a page says: in one folder, with one home, one command after the other."""

    folder: Path
    home: Path
    environment: Mapping[str, str]
    instead: Mapping[str, str]
    """Text of a command -> what stands for it here: a free port, the package that has just been built."""

    def type(self, step: Step) -> str:
        """Run the command; gives its output. It must end well, and print every line that the page shows."""
        command = step.command
        for text, other in self.instead.items():
            command = command.replace(text, other)
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
