"""Explore side: reads, searches and shows scenes. Runs in the server, the command line and the terminal
UI."""

from __future__ import annotations

from relive_capture.explore.archive import ArchiveInfo, SceneInput, write_scene
from relive_capture.explore.errors import AmbiguousScene, SceneError, SceneNotFound
from relive_capture.explore.reader import Limits, SceneFile, read_scene

__all__ = [
    "AmbiguousScene",
    "ArchiveInfo",
    "Limits",
    "SceneError",
    "SceneFile",
    "SceneInput",
    "SceneNotFound",
    "read_scene",
    "write_scene",
]
