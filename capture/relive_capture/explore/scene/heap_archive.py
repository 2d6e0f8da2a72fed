"""Heap snapshots in archives: added to a scene that is there already, or as a baseline of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from relive_base.parts import PartState, State
from relive_base.records import InvocationRecord

from relive_capture.explore.scene.archive import (
    SCHEMA,
    ArchiveInfo,
    archive_info,
    pack_archive,
    remove_drafts,
    write_archive,
)
from relive_capture.explore.scene.manifest_parts import part_to_manifest
from relive_capture.explore.scene.reader import read_scene
from relive_capture.explore.snapshots import FOLDER

__all__ = ["add_heap", "baseline_path", "baselines", "find_baseline", "write_baseline"]

BASELINES_KEPT: Final = 100
_FOLDER: Final = "baselines"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")


def add_heap(path: Path, members: Mapping[str, bytes], state: PartState) -> tuple[ArchiveInfo, bytes]:
    """Rewrite the scene with `members` under `heap/`, and what became of them.

    One that has a heap stays as it is, and is told once more: whoever wrote it may have been killed before
    that. Raises SceneError if there is no such scene, OSError.
    """
    scene = read_scene(path)
    if scene.parts.get("heap", state).state in (State.OK, State.PARTIAL):
        return archive_info(path, scene), scene.raw
    files = {name: scene.member(name) for name in scene.names if not name.startswith(FOLDER)}
    del files["manifest.json"]
    files.update(members)
    manifest: dict[str, Any] = dict(scene.manifest)
    manifest["parts"] = {**manifest["parts"], "heap": part_to_manifest(state)}
    info, data = pack_archive(path, manifest, files)
    write_archive(path, data)
    return info, data


def baseline_path(scenes_dir: Path, function: str, version: int) -> Path:
    """Where the heap of a healthy invocation of a function's version lies."""
    return scenes_dir / _FOLDER / f"{_UNSAFE.sub('_', function)[:100]}-v{version}.scene"


def baselines(scenes_dir: Path) -> list[Path]:
    """All of them, the newest first."""
    found = [(path.stat().st_mtime, path) for path in (scenes_dir / _FOLDER).glob("*.scene")]
    return [path for _, path in sorted(found, reverse=True)]


def find_baseline(scenes_dir: Path, function: str, version: int) -> Path | None:
    """Of this version, else of the function's version that has the newest; None if there is none."""
    exact = baseline_path(scenes_dir, function, version)
    if exact.is_file():
        return exact
    stem = exact.stem.rpartition("-v")[0]
    return next((path for path in baselines(scenes_dir) if path.stem.rpartition("-v")[0] == stem), None)


def write_baseline(
    scenes_dir: Path, record: InvocationRecord, members: Mapping[str, bytes], state: PartState
) -> None:
    """Write the heap of a success as an archive that reads like a scene of kind "baseline"; the newest of
    each version is kept. Raises OSError."""
    path = baseline_path(scenes_dir, record.function, record.version)
    manifest = {
        "schema": SCHEMA,
        "invocation_id": record.invocation_id,
        "attempt": record.attempt,
        "function": record.function,
        "version": record.version,
        "app": record.app,
        "code_hash": record.code_hash,
        "kind": "baseline",
        "status": record.status,
        "fingerprint": "",
        "error": {},
        "trace_id": record.trace_id,
        "captured_ns": record.ended_ns,
        "parts": {"heap": part_to_manifest(state)},
    }
    remove_drafts(path.parent)
    write_archive(path, pack_archive(path, manifest, members)[1])
    for old in baselines(scenes_dir)[BASELINES_KEPT:]:
        old.unlink(missing_ok=True)
