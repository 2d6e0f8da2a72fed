"""A scene: what was captured, read-only."""

from __future__ import annotations

from typing import Any

from relive_base.wire.inspection import Answer, Ask
from relive_capture.explore.postmortem import PostMortem, SceneInspector

from relive.dap.targets.base import Over, Told

__all__ = ["SceneTarget"]


class SceneTarget:
    """See base.Target. Raises SceneError if the scene cannot be read."""

    reverses = False

    def __init__(self, scene: Any) -> None:
        self.title = "the scene, read-only: values as they were captured"
        self._inspector = SceneInspector(scene)
        self._session = PostMortem(scene)

    def ask(self, asked: Ask) -> Answer:
        return self._inspector.answer(asked)

    def command(self, line: str) -> Told:
        text = self._session.run(line)
        if self._session.done:
            raise Over
        return Told(text, "(scene)")

    def complete(self, line: str) -> tuple[int, list[str]]:
        start, items = self._session.complete_line(line)
        return start, list(items)

    def interrupt(self, *, leave: bool = False) -> None:
        """Nothing runs here."""

    def close(self) -> None:
        """There is nothing to leave."""
