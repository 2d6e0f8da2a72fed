"""The folder in which scenes wait to be brought in: bounded, and read by the importer alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_base.errors import Refused
from relive_capture.explore.scene import parse_scene_name, remove_drafts, write_archive

__all__ = ["Inbox", "InboxFull", "NoScene"]

_ZIP: Final = b"PK\x03\x04"
_REFUSED: Final = "refused"
_KEPT: Final = 50  # of what was refused
_LISTED: Final = 10_000


class InboxFull(Refused):
    """The inbox has as many scenes as it takes."""


class NoScene(Refused):
    """What came is no scene, by its name or its first bytes."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """Made when it is needed. `scene_bytes`: of one."""

    folder: Path
    scenes: int = 500
    total_bytes: int = 512 * 1_048_576
    scene_bytes: int = 64 * 1_048_576

    def put(self, name: str, data: bytes) -> None:
        """Let one wait. Raises NoScene, InboxFull, OSError."""
        if parse_scene_name(name) is None or os.path.basename(name) != name:
            raise NoScene("a scene is named ID-ATTEMPT.scene")
        if not data.startswith(_ZIP) or len(data) > self.scene_bytes:
            raise NoScene(f"it is no archive, or over {self.scene_bytes} bytes")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_drafts(self.folder)
        sizes = [path.stat().st_size for path in self.waiting()]
        if len(sizes) >= self.scenes or sum(sizes) + len(data) > self.total_bytes:
            raise InboxFull(f"{len(sizes)} scenes wait in the inbox, which is its limit; try again later")
        write_archive(self.folder / name, data)

    def waiting(self) -> list[Path]:
        """What is to be brought in."""
        return sorted(self._files())

    def _files(self) -> Iterator[Path]:
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _LISTED:
                    return
                if entry.name.endswith(".scene") and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)

    def refuse(self, path: Path) -> None:
        """Set one aside that cannot come in; the newest 50 of these stay. Never raises."""
        with contextlib.suppress(OSError):
            aside = self.folder / _REFUSED
            aside.mkdir(mode=0o700, exist_ok=True)
            os.replace(path, aside / path.name)
            kept = sorted(aside.iterdir(), key=lambda found: found.stat().st_mtime_ns)
            for old in kept[:-_KEPT]:
                old.unlink(missing_ok=True)
