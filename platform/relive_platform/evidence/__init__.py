"""What an attempt leaves behind, and the scene that is made of it. The engine gives it, signals and replays
take it.
"""

from __future__ import annotations

from relive_platform.evidence.attempt import Finished, HeapFound, SceneJob
from relive_platform.evidence.scene import StackMemory, scene_input
from relive_platform.evidence.takes import LOGS, METRICS, SPANS, Kept, Take

__all__ = [
    "LOGS",
    "METRICS",
    "SPANS",
    "Finished",
    "HeapFound",
    "Kept",
    "SceneJob",
    "StackMemory",
    "Take",
    "scene_input",
]
