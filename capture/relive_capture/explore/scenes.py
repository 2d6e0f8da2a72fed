"""Finding a scene: as a file of this home first, then in the store."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from relive_store import Store

from relive_capture.explore import failures
from relive_capture.explore.errors import AmbiguousScene, SceneError, SceneNotFound
from relive_capture.explore.failures.queries import BLOB
from relive_capture.explore.scene import Limits, SceneFile, parse_scene_name, read_scene, scene_path

__all__ = ["archive_bytes", "load", "load_from_disk", "path_on_disk", "with_same_heap"]

_MAX_CHUNKS = Limits().archive_bytes // (1024 * 1024) + 1
_MAX_LISTED = 200_000
_MAX_ATTEMPTS = 101


def load(store: Store, scenes_dir: Path | str, ident: str = "last", attempt: int = 0) -> SceneFile:
    """The scene of the failure that `ident` means: an invocation id, its beginning, or "last".

    `attempt` 0 means the newest.

    Raises SceneNotFound, AmbiguousScene, SceneError (damaged), StoreError.
    """
    return read_scene(archive_bytes(store, scenes_dir, ident, attempt)[1])


def archive_bytes(
    store: Store, scenes_dir: Path | str, ident: str = "last", attempt: int = 0
) -> tuple[str, bytes]:
    """(file name, bytes) of a scene's archive; raises as `load`."""
    folder = Path(scenes_dir)
    invocation_id, found_attempt, archive_hash = _find(store, folder, ident, attempt)
    path = scene_path(folder, invocation_id, found_attempt)
    if path.is_file():
        return path.name, read_scene(path).raw
    return path.name, _from_store(store, archive_hash, invocation_id)


def load_from_disk(scenes_dir: Path | str, ident: str = "last") -> SceneFile | None:
    """The scene that `ident` means among the files of a home, without its store; None if that is not
    clear.

    "last" is the file that was written last. Raises SceneError (damaged).
    """
    try:
        path = path_on_disk(scenes_dir, ident)
    except AmbiguousScene:
        return None
    return read_scene(path) if path is not None else None


def path_on_disk(scenes_dir: Path | str, ident: str = "last") -> Path | None:
    """The file of the scene that `ident` means, as `load_from_disk`; None if there is none.

    Raises AmbiguousScene.
    """
    folder = Path(scenes_dir)
    if ident == "last":
        newest = max(_files(folder), default=None)
        return newest[1] if newest is not None else None
    found = _only(_on_disk(folder, ident, 0), ident)
    return scene_path(folder, found[0], found[1]) if found is not None else None


def with_same_heap(store: Store, scenes_dir: Path | str, scene: SceneFile) -> SceneFile | None:
    """The scene of the same failure whose heap was taken in place of this one's; None if it is gone.

    Raises StoreError.
    """
    attempt = 0  # the newest
    while scene.heap_elsewhere:
        try:
            found = load(store, scenes_dir, scene.heap_elsewhere, attempt)
        except (SceneError, SceneNotFound):
            return None
        if found.has_heap:
            return found
        attempt = min(found.attempt, _MAX_ATTEMPTS) - 1
        if attempt < 1:
            break
    return None


def _files(folder: Path) -> Iterator[tuple[int, Path]]:
    """(time of writing, path) of each scene file."""
    for path in itertools.islice(folder.glob("*.scene"), _MAX_LISTED):
        with contextlib.suppress(OSError):
            yield path.stat().st_mtime_ns, path


def _find(store: Store, folder: Path, ident: str, attempt: int) -> tuple[str, int, str]:
    """(invocation id, attempt, archive hash or "")."""
    found = failures.resolve(store, ident, attempt)
    if not found and ident != "last":
        # a scene is on disk a moment before its row is in the store
        found = _on_disk(folder, ident, attempt)
    only = _only(found, ident)
    if only is None:
        if ident == "last":
            raise SceneNotFound("nothing has failed yet", hint="see how it would look: relive demo")
        if attempt and (other := _find(store, folder, ident, 0)):
            raise SceneNotFound(
                f"attempt {attempt} of {other[0]} has no scene", hint=f"its newest one is that of {other[1]}"
            )
        raise SceneNotFound(f"no failure's id begins with {ident!r}", hint="list them: relive failures")
    return only


def _only(found: list[tuple[str, int, str]], ident: str) -> tuple[str, int, str] | None:
    if len(found) > 1:
        names = " and ".join(entry[0] for entry in found)
        raise AmbiguousScene(f"{ident!r} may mean {names}", hint="give more of the id")
    return found[0] if found else None


def _on_disk(folder: Path, prefix: str, attempt: int) -> list[tuple[str, int, str]]:
    newest: dict[str, int] = {}
    try:
        names = os.listdir(folder)[:_MAX_LISTED]
    except OSError:
        return []
    for name in names:
        parsed = parse_scene_name(name)
        if parsed is None or not parsed[0].startswith(prefix) or (attempt and parsed[1] != attempt):
            continue
        newest[parsed[0]] = max(parsed[1], newest.get(parsed[0], 0))
    return [(invocation_id, number, "") for invocation_id, number in sorted(newest.items())[:2]]


def _from_store(store: Store, archive_hash: str, invocation_id: str) -> bytes:
    columns = store.query(BLOB, {"hash": archive_hash}, max_rows=_MAX_CHUNKS, bytes_columns=("Data",))
    rows = list(columns.dicts())
    if not rows:
        raise SceneNotFound(
            f"the scene of {invocation_id} is neither on disk nor in the store",
            hint="it may have passed its retention; its trace and logs may still be there",
        )
    expected = int(str(rows[0]["Chunks"]))
    if [row["Chunk"] for row in rows] != list(range(expected)):
        raise SceneError(f"{len(rows)} of {expected} chunks are in the store", where=invocation_id)
    return b"".join(_as_bytes(row["Data"]) for row in rows)


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
