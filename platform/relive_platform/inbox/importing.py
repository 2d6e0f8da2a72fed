"""Bringing scenes into a home: as files beside its own, and as rows of its store."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError
from relive_base.shown_numbers import counted
from relive_capture.explore.failures import blob_columns, scene_columns
from relive_capture.explore.parts import outside_facts
from relive_capture.explore.scene import SceneFile, read_scene, scene_path, write_archive
from relive_store import Store, days_in_force

from relive_platform.inbox.checking import checked, info_of

__all__ = ["Imported", "Importer", "is_imported"]

_MOST: Final = 10_000
_DAY_NS: Final = 86_400 * 1_000_000_000
_MARK: Final = ".imported"
_MARKS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """`state`: "new", "known" (it is there already, the very same), or "other" (the home has another scene of
    this invocation, which stays). `note`: what the reader should know, or ""."""

    state: str
    invocation_id: str
    function: str
    host: str
    error_type: str
    message: str
    note: str = ""


class Importer:
    """Of one home. `limit`: scene files that it keeps. `store` None: files alone, the rows follow later."""

    def __init__(
        self,
        scenes_dir: Path,
        store: Store,
        *,
        limit: int = _MOST,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._scenes_dir = scenes_dir
        self._store = store
        self._limit = limit
        self._clock_ns = clock_ns

    def take(self, data: bytes, where: str) -> Imported:
        """Check it and bring it in. Raises SceneError, OSError, StoreError."""
        scene = checked(data, where)
        path = scene_path(self._scenes_dir, scene.invocation_id, scene.attempt)
        state = _state(scene, path)
        if state == "new":
            self._make_room()
            self._mark(path)  # first: it is never taken for one of this home's own
            write_archive(path, scene.raw)
        if state != "other":
            self._write_rows(scene)
        facts = outside_facts(scene)
        info = info_of(scene, self._scenes_dir).manifest
        return Imported(
            state=state,
            invocation_id=scene.invocation_id,
            function=str(info["function"]),
            host=facts.host if facts is not None else "",
            error_type=str(info["error"]["type"]),
            message=str(info["error"]["message"]),
            note=self._too_old(int(info["captured_ns"]), path),
        )

    def _mark(self, path: Path) -> None:
        """It stays when the file leaves, as the store still has the scene."""
        marks = sorted(self._scenes_dir.glob(f"*{_MARK}"), key=_written_ns)
        for old in marks[: max(len(marks) - _MARKS + 1, 0)]:
            old.unlink(missing_ok=True)
        self._scenes_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.with_suffix(_MARK).touch(mode=0o600)

    def _too_old(self, captured_ns: int, path: Path) -> str:
        """Of one that the tables keep no more: its row is gone before long."""
        days = days_in_force(self._store).get("failure_scenes")
        old = (self._clock_ns() - captured_ns) // _DAY_NS
        if days is None or old < days:
            return ""
        return (
            f"it was captured {old:,} days ago, and failures are listed for {counted(days, 'day')}"
            f" (RELIVE_RETENTION_DAYS); its file stays: relive failure {path}"
        )

    def _make_room(self) -> None:
        """The oldest files leave first; the store still has them."""
        found = sorted(self._scenes_dir.glob("*.scene"), key=_written_ns)
        for old in found[: max(len(found) - self._limit + 1, 0)]:
            old.unlink(missing_ok=True)

    def _write_rows(self, scene: SceneFile) -> None:
        """Once: a scene that is there already may have lost its rows to a store that was down."""
        found = self._store.query(
            "SELECT count() FROM failure_scenes WHERE InvocationId = {ident:String}"
            " AND Attempt = {attempt:UInt16} AND ArchiveHash = {hash:String}",
            {"ident": scene.invocation_id, "attempt": scene.attempt, "hash": scene.hash},
        ).scalar()
        if int(str(found)):
            return
        info = info_of(scene, self._scenes_dir)
        self._store.insert("scene_blobs", blob_columns(info.hash, scene.raw, self._clock_ns()))
        self._store.insert("failure_scenes", scene_columns([info]))


def is_imported(scenes_dir: Path, invocation_id: str, attempt: int) -> bool:
    """Whether a scene of this home came from elsewhere."""
    return scene_path(scenes_dir, invocation_id, attempt).with_suffix(_MARK).exists()


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # it is gone


def _state(scene: SceneFile, path: Path) -> str:
    if not path.exists():
        return "new"
    with contextlib.suppress(ReliveError, OSError):
        return "known" if read_scene(path).hash == scene.hash else "other"
    return "other"
