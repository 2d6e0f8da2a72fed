"""Holds a function of the gateway's tests until the test lets it go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Gate"]


@dataclass
class Gate:
    """Holds a function: `path` is answered once it is open."""

    file: Path

    @property
    def path(self) -> str:
        return f"/fn/held?go={self.file}"

    def open(self) -> None:
        self.file.touch()
