"""Whether what leads no further back was there before the handler began; else why that is not known."""

from __future__ import annotations

from typing import Any, Final

from relive_runtime.travel.causes.journal import MANY, Journal, Version
from relive_runtime.travel.causes.operands import is_special
from relive_runtime.travel.causes.values import MISSING, items_beyond, same
from relive_runtime.travel.trail import NOBODY

__all__ = ["Beginnings"]

_UNSEEN: Final = "no line that was followed has put it there: a library or compiled code may have"


class Beginnings:
    """Of one journal. Each of these gives "" if it is known that the value is older than the first step."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def of_name(self, frame: int, name: str, value: Any) -> str:
        """Of a local name that no step of the journal has bound in its frame."""
        journal = self._journal
        entry = journal.frames[frame]
        if frame == 0:
            if same(journal.first_locals.get(name, MISSING), value):
                return ""
            return self._window() or self.unseen()
        if entry.began < journal.start or NOBODY < entry.called < journal.start:
            return self._window()
        if entry.caller == NOBODY:
            return self.of_call(entry.code.co_name)
        return self.unseen()

    def of_call(self, name: str) -> str:
        """Of an argument, if no call of the function by its name is where it was called."""
        if is_special(name):
            return f"{name} was called with it, by no call that is written there"
        return f"a library has called {name} with it"

    def of_global(self, names: dict[str, Any], name: str, value: Any) -> str:
        """Of a name in a module that no step of the journal has bound."""
        first = self._journal.first_globals.get(id(names))
        there = MISSING if first is None else first.get(name, MISSING)
        return "" if same(there, value) else self._window() or self.unseen()

    def of_part(self, holder: Any, version: Version | None, value: Any) -> str:
        """Of what is in a container or an object since a version of it, or is in none that was seen."""
        journal = self._journal
        items = items_beyond(holder)
        if items:
            return f"not all that is in it was looked at: it has {items:,} items"
        if version is None:
            return self.unseen()
        if version.step == NOBODY and version.seen == NOBODY:
            return ""
        if journal.start:
            return self._window()
        return f"it was first seen at a later step than the first: {self.unseen()}"

    def of_change(self, version: Version) -> str:
        """Of a change of an object: "" if it is known which step did it."""
        if version.is_exact:
            return ""
        since = max(version.seen if version.seen is not None else NOBODY, NOBODY) + 1
        return f"it was changed between step {since} and step {version.step}, by what was not followed"

    def unseen(self) -> str:
        """What was not followed has done it."""
        if self._journal.threads < MANY:
            return f"code in other threads, from step {self._journal.threads} on, was not followed"
        return _UNSEEN

    def _window(self) -> str:
        start = self._journal.start
        return f"steps before {start:,} were not looked at" if start else ""
