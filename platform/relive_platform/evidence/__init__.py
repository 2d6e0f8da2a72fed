"""What an attempt leaves behind, and the scene that is made of it. The engine gives it, signals and replays
take it.
"""

from __future__ import annotations

from relive_platform.evidence.attempt import Finished, HeapFound, SceneJob
from relive_platform.evidence.scene import StackMemory, scene_input

__all__ = ["Finished", "HeapFound", "SceneJob", "StackMemory", "scene_input"]
