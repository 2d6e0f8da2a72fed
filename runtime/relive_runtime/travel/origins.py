"""The answer to "why": the chain of origins of a value, and how it is told. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from relive_runtime.travel.trail import NOBODY

__all__ = ["Link", "Why", "root_of"]


@dataclass(frozen=True, slots=True)
class Link:
    """One step back. `step`: the line that did it; NOBODY: it was so before the handler began."""

    expression: str
    value: str
    step: int
    how: str  # "given", "changed inside", "passed", "returned", "computed", "default", "before"
    made_of: tuple[tuple[str, str], ...] = ()  # (expression, value) of what it was computed from


@dataclass(slots=True)
class Why:
    """`links`: the failing line's value first, the place where it arose last."""

    failing: int
    links: list[Link] = field(default_factory=list)
    note: str = ""

    @property
    def root(self) -> int | None:
        """The step at which the bad value arose, or came in; None if nothing was found."""
        number = self._root()
        return None if number is None else self.links[number].step

    def _root(self) -> int | None:
        """The last link. Of what was there before the handler began, the line that took the value out."""
        links = self.links
        if links and links[-1].step == NOBODY:
            parts = list(
                itertools.takewhile(lambda link: root_of(link.expression) != link.expression, links[::-1])
            )
            taken = len(links) - len(parts) - 1
            if parts and taken >= 0 and links[taken].step != NOBODY:
                return taken
        return next((number for number in reversed(range(len(links))) if links[number].step != NOBODY), None)

    def lines(self, where: Callable[[int], str], source: Callable[[int], str]) -> list[str]:
        """For a terminal."""
        found = [f"step {self.failing}  {where(self.failing)}  {source(self.failing)}"]
        root = self._root()
        for number, link in enumerate(self.links):
            found.append(f"  {link.expression} = {link.value}")
            if link.step == NOBODY:
                found.append(f"    it {_HOW[link.how]}")
                continue
            mark = "→" if number == root else " "
            found.append(
                f"  {mark} {_HOW[link.how]} by step {link.step}  {where(link.step)}  {source(link.step)}"
            )
            found += [f"      {name} = {value}" for name, value in link.made_of]
        if self.note:
            found.append(f"  {self.note}")
        return found


_HOW: Final = {
    "given": "given",
    "changed inside": "changed inside",
    "passed": "passed",
    "returned": "returned",
    "computed": "computed",
    "default": "left to its default",
    "elsewhere": "was so before this function was called",
    "before": "was so before the handler began: module state, or the event",
}


def root_of(expression: str) -> str:
    """`cart["total"].value` -> `cart`."""
    return expression.split(".")[0].split("[")[0]
