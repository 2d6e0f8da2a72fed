"""Names of scene files, `<invocation id>-<attempt>.scene`, and of the members in them."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["is_safe_name", "parse_scene_name", "scene_path"]

_NAME = re.compile(r"(?P<id>[0-9A-Za-z][0-9A-Za-z-]{0,99})-(?P<attempt>\d{1,5})\.scene")


def scene_path(scenes_dir: Path, invocation_id: str, attempt: int) -> Path:
    """Where the scene of an attempt lies."""
    return scenes_dir / f"{invocation_id}-{attempt}.scene"


def parse_scene_name(name: str) -> tuple[str, int] | None:
    """(invocation id, attempt) of a file name, or None if it is no scene's."""
    match = _NAME.fullmatch(name)
    return None if match is None else (match["id"], int(match["attempt"]))


def is_safe_name(name: str, limit: int = 400) -> bool:
    """Whether a member of that name stays below the folder that an archive is unpacked in."""
    parts = name.replace("\\", "/").split("/")
    return (
        0 < len(name) <= limit
        and name.isprintable()
        and "\\" not in name
        and parts[0] != ""
        and ":" not in parts[0]
        and "." not in parts
        and ".." not in parts
    )
