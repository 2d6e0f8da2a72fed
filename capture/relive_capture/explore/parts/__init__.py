"""The parts of a scene in one table: how each is made, read and shown; the archive and the page of all."""

from __future__ import annotations

from relive_capture.explore.parts.collecting import build_members
from relive_capture.explore.parts.exception import RELATIONS
from relive_capture.explore.parts.outside import outside_facts
from relive_capture.explore.parts.page import failure_lines, render_text, to_json
from relive_capture.explore.parts.part import (
    Extent,
    HealthyEvent,
    SceneInput,
    SceneMembers,
    ScenePart,
    always,
)
from relive_capture.explore.parts.table import PARTS
from relive_capture.explore.parts.writing import pack_scene, write_scene

__all__ = [
    "PARTS",
    "RELATIONS",
    "Extent",
    "HealthyEvent",
    "SceneInput",
    "SceneMembers",
    "ScenePart",
    "always",
    "build_members",
    "failure_lines",
    "outside_facts",
    "pack_scene",
    "render_text",
    "to_json",
    "write_scene",
]
