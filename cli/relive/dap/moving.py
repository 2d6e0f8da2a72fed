"""Requests that lead elsewhere: to another step of a run, and the breakpoints it stops at."""

from __future__ import annotations

from typing import Any, Final

from relive.dap.requests import Given
from relive.dap.sources import Sources
from relive.dap.targets.base import Target

__all__ = ["BACK", "MOVES", "Breakpoints", "stopped"]

MOVES: Final = {
    "continue": "continue",
    "next": "next",
    "stepIn": "step",
    "stepOut": "return",
    "stepBack": "rs",
    "reverseContinue": "rc",
    "restart": "start",
}
"""Requests, and the debugger's word for each."""
BACK: Final = frozenset(("stepBack", "reverseContinue", "restart"))
_MOST: Final = 100


def stopped(word: str, moment: str, raised: bool) -> dict[str, Any]:
    """The body of the event that says where a target stands after a word ("" at first). `raised`: by an
    exception, and not by being stopped in the middle of its code."""
    where = moment.strip("()")
    if where.startswith("step "):
        reason = "breakpoint" if word in ("continue", "rc") else "step"
        if word in ("", "start") or (word == "rc" and where == "step 0"):
            reason = "entry"
        return {"reason": reason, "description": where}
    if not raised:
        return {"reason": "pause", "description": "stopped here"}
    return {"reason": "exception", "description": "failed here" if where in ("failure", "Pdb") else where}


class Breakpoints:
    """Of one session."""

    def __init__(self, target: Target, sources: Sources) -> None:
        self._target = target
        self._sources = sources
        self._set: dict[str, list[int]] = {}

    def set(self, given: Given, first_line: int) -> dict[str, Any]:
        """Those of one file, in place of the ones it had. Raises Over."""
        wanted = given.objects("breakpoints", _MOST)
        if not self._target.reverses:
            said = "nothing runs here that could stop"
            return {"breakpoints": [{"verified": False, "message": said} for _ in wanted]}
        name = self._sources.name_of(given.object("source"))
        if not name or any(char in name for char in "\r\n\0"):
            said = "this file is not what runs here: open the one of a frame"
            return {"breakpoints": [{"verified": False, "message": said} for _ in wanted]}
        for line in self._set.pop(name, []):
            self._target.command(f"clear {name}:{line}")
        self._set[name] = []
        return {"breakpoints": [self._one(name, found, first_line) for found in wanted]}

    def _one(self, name: str, wanted: dict[str, Any], first_line: int) -> dict[str, Any]:
        line = wanted.get("line")
        if not isinstance(line, int):
            return {"verified": False, "message": "it has no line"}
        if any(wanted.get(key) for key in ("condition", "hitCondition", "logMessage")):
            said = "conditions are not known here: the steps of a run are all there, go to the one you want"
            return {"verified": False, "line": line, "message": said}
        number = line + 1 - first_line
        said = self._target.command(f"break {name}:{number}").text.strip()
        set_ = said.startswith("breakpoint at ")
        if set_:
            self._set[name].append(number)
        return {"verified": set_ and "which runs" in said, "line": line, "message": said[:500]}
