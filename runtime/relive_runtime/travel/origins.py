"""The answer to "why": the chain of origins of a value, and how it is told. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from relive_runtime.travel.endings import Ending
from relive_runtime.travel.trail import NOBODY

__all__ = ["Link", "Spot", "Why"]


class Link(msgspec.Struct, array_like=True, frozen=True):
    """One step back. `step`: the line that did it; NOBODY: it was so before the handler began."""

    expression: str
    value: str
    step: int
    how: str
    made_of: list[tuple[str, str]] = []  # (expression, value) of what it was computed from


class Spot(msgspec.Struct, array_like=True, frozen=True):
    """A line that may be to blame. `step`: where it ran. A line that ran before the first step (a default, a
    constant) has its place in `file`, `line` and `source`, and the step that used it first. `reason`: what
    speaks for it besides the way that leads there."""

    step: int
    reason: str = ""
    file: str = ""
    line: int = 0
    source: str = ""


class Why(msgspec.Struct, tag=True):
    """`links`: the failing line's value first, the place where it arose last. `root`: the step at which the
    bad value arose, or came in; NOBODY if nothing was found. `about`: what the line stumbled over. `sure`:
    nothing else explains the failure as well."""

    failing: int
    links: list[Link] = []
    root: int = NOBODY
    kind: str = ""
    about: str = ""
    sure: bool = False
    note: str = ""
    named: Spot = Spot(NOBODY)
    """The line of the root, if there is more to tell of it."""
    others: list[Spot] = []
    """Lines that may be to blame as well, the likeliest first."""
    unknown: str = ""
    """Why it is not known where the value arose, though it can be followed no further than to the root."""
    went: bytes = b""
    """The steps of the run that was followed, 64 bits each, from the first that was looked at on."""
    ended: list[Ending] = []
    """How it ended; []: before its end, or in a way that does not tell."""

    def lines(
        self,
        where: Callable[[int], str],
        source: Callable[[int], str],
        place: Callable[[str, int], str] = lambda file, line: f"{file}:{line}",
    ) -> list[str]:
        """For a terminal: the failing line, the line to look at, and the way from the one to the other.
        `where` and `source`: of a step; `place`: of a line that is no step."""

        def told(begins: str, spot: Spot) -> list[str]:
            if spot.line:
                at = f"{place(spot.file, spot.line)}  {spot.source}  (used by step {spot.step})"
            else:
                at = f"step {spot.step}  {where(spot.step)}  {source(spot.step)}"
            return [f"{begins} {at}", *([f"      {spot.reason}"] if spot.reason else [])]

        found = [f"step {self.failing}  {where(self.failing)}  {source(self.failing)}"]
        if self.about:
            found.append(f"  {self.about}")
        if self.root != NOBODY:
            found += told(
                f"→ {self._verdict()}", self.named if self.named.step != NOBODY else Spot(self.root)
            )
            at_root = next((link for link in reversed(self.links) if link.step == self.root), None)
            found += [f"      {name} = {value}" for name, value in (at_root.made_of if at_root else ())]
        for spot in self.others:
            found += told("  or at", spot)
        return [*found, *self._way(where, source)]

    def _way(self, where: Callable[[int], str], source: Callable[[int], str]) -> list[str]:
        found = list[str]()
        came_in = self.kind == "before" and not self.unknown
        way = [
            link
            for link in self.links
            if link.how not in _ENDS
            or link.step not in (self.root, NOBODY)
            or (came_in and link.how == "computed")  # then something else came in than what was asked about
        ]
        if way:
            found.append("  the way from there, backwards:")
        left_out = len(way) - 2 * _SHOWN
        for number, link in enumerate(way):
            if left_out > 0 and _SHOWN <= number < len(way) - _SHOWN:
                if number == _SHOWN:
                    found.append(f"    ({left_out:,} more steps are left out)")
                continue
            if link.value:
                found.append(f"    {link.expression} = {link.value}")
            how = _HOWS.get(link.how, f"{link.how} by")
            found.append(f"      {how} step {link.step}  {where(link.step)}  {source(link.step)}")
        if self.unknown:
            found.append(f"  not known where it arose: {self.unknown}")
        elif self.kind == "before":
            before = next((link for link in reversed(self.links) if link.how == "before"), None)
            named = f"{before.expression} = {before.value}, " if before is not None else ""
            found.append(f"  {named}what it was before the handler began: module state, or the event")
        if self.note:
            found.append(f"  {self.note}" if self.root != NOBODY else f"*** {self.note}")
        return found

    def _verdict(self) -> str:
        if self.unknown and self.kind == "before":
            return "was there at"
        if self.kind in ("before", "outside"):
            return "came in at" if self.sure else "may have come in at"
        if self.kind in _NAMED:
            return f"{_NAMED[self.kind]} at" if self.sure else f"may have been {_NAMED[self.kind]} at"
        return "arose at" if self.sure else "may have arisen at"


_NAMED: Final = {
    "changed": "changed inside", "merged": "overwritten", "removed": "removed", "used up": "used up",
    "ignored": "left as it was", "decided": "decided", "caught": "swallowed",
    "raised": "lost to an exception",
}  # fmt: skip
_HOWS: Final = {
    "led to": "run because of", "went past": "run because of", "kept": "kept because of",
    "is like": "spelled as another key at", "raised": "not given by", "caught": "not given because of",
}  # fmt: skip
"""Of links that no value led to."""
_SHOWN: Final = 20
"""Steps of a way from either end."""
_ENDS: Final = frozenset(
    ("before", "computed", "literal", "default", "absent", "ended", "outside", "passed on", *_NAMED)
)
