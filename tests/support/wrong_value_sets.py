"""The sets of functions that fail some time after a value went wrong, with the answers."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Case", "cases", "sets", "unseen"]

_FOLDER = Path(__file__).parents[1] / "integration" / "travel" / "wrong_values_sets"
_UNSEEN = ("38", "39")


@dataclass(frozen=True)
class Case:
    """A module with a handler that fails, an event, and the line at which the bad value arises. `found`: how
    `why` names it: "first", "beside" other lines, or "missed"."""

    name: str
    text: str
    arose: int
    event: Any
    found: str

    def __str__(self) -> str:
        return self.name


def sets() -> list[Path]:
    """All, in the order in which they were written."""
    return sorted(_FOLDER.glob("*.txt"))


def unseen() -> list[Path]:
    """Those that nothing was made or fitted with."""
    return [path for path in sets() if path.stem in _UNSEEN]


def cases(path: Path) -> list[Case]:
    """Of a set: each begins with `### NAME`, or `### NAME: HOW IT IS FOUND`."""
    read = []
    for part in re.split(r"^### ", path.read_text(), flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        name, _, found = head.partition(": ")
        (arose,) = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# arose")]
        event = ast.literal_eval(re.split(r"^EVENT = ", text, flags=re.MULTILINE)[1])
        text = re.sub(r"  # arose$", "", text, flags=re.MULTILINE)
        read.append(Case(f"{path.stem}_{name}", text, arose, event, found or "first"))
    return read
