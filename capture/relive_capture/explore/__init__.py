"""Explore side: reads, searches and shows scenes. Runs in the server, the command line and the terminal
UI."""

from __future__ import annotations

from relive_capture.explore.errors import AmbiguousScene, SceneError, SceneNotFound
from relive_capture.explore.scene import ArchiveInfo, Limits, SceneFile, read_scene

__all__ = [
    "AmbiguousScene",
    "ArchiveInfo",
    "Limits",
    "SceneError",
    "SceneFile",
    "SceneNotFound",
    "read_scene",
]
