"""The archive of one failure: what it is made of, how it is written and read."""

from __future__ import annotations

from relive_capture.explore.scene.archive import (
    SCHEMA,
    ArchiveInfo,
    pack_archive,
    remove_drafts,
    write_archive,
)
from relive_capture.explore.scene.bounds import Limits
from relive_capture.explore.scene.heap_archive import (
    add_heap,
    baseline_path,
    baselines,
    find_baseline,
    write_baseline,
)
from relive_capture.explore.scene.live_part import kept_part
from relive_capture.explore.scene.names import is_safe_name, parse_scene_name, scene_path
from relive_capture.explore.scene.reader import SceneFile, own_frame, read_scene

__all__ = [
    "SCHEMA",
    "ArchiveInfo",
    "Limits",
    "SceneFile",
    "add_heap",
    "baseline_path",
    "baselines",
    "find_baseline",
    "is_safe_name",
    "kept_part",
    "own_frame",
    "pack_archive",
    "parse_scene_name",
    "read_scene",
    "remove_drafts",
    "scene_path",
    "write_archive",
    "write_baseline",
]
