"""The archive of a scene, opened."""

from __future__ import annotations

from relive_capture.explore.scene import SceneFile, read_scene

__all__ = ["SceneFile", "read_scene"]
