"""Names of scene files: `<invocation id>-<attempt>.scene`."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["parse_scene_name", "scene_path"]

_NAME = re.compile(r"(?P<id>[0-9A-Za-z][0-9A-Za-z-]{0,99})-(?P<attempt>\d{1,5})\.scene")


def scene_path(scenes_dir: Path, invocation_id: str, attempt: int) -> Path:
    """Where the scene of an attempt lies."""
    return scenes_dir / f"{invocation_id}-{attempt}.scene"


def parse_scene_name(name: str) -> tuple[str, int] | None:
    """(invocation id, attempt) of a file name, or None where it is no scene's."""
    match = _NAME.fullmatch(name)
    return None if match is None else (match["id"], int(match["attempt"]))
