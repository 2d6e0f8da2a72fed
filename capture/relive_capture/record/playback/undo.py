"""What playing a scene back has changed in this process, and how it is put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["Undo"]

_ABSENT: Final = object()


class Undo:
    """A replay's worker ends after its one invocation; a test goes on, so every change has its way back."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: object) -> None:
        """Set an attribute of a module or class until `undo`."""
        before = vars(owner).get(name, _ABSENT)
        setattr(owner, name, value)
        if before is _ABSENT:
            self.add(lambda: delattr(owner, name))
        else:
            self.add(lambda: setattr(owner, name, before))

    def add(self, step: Callable[[], None]) -> None:
        """Another step; steps are taken newest first."""
        self._steps.append(step)

    def undo(self) -> None:
        """Put everything back."""
        while self._steps:
            self._steps.pop()()
