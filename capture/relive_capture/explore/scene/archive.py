"""Writing scene archives: deterministic, fsynced, renamed into place."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from relive_capture.explore.errors import SceneError
from relive_capture.explore.scene.reader import Limits, SceneFile, read_scene
from relive_capture.model import ExceptionView

__all__ = [
    "SCHEMA",
    "ArchiveInfo",
    "Limits",
    "SceneError",
    "SceneFile",
    "archive_info",
    "pack_archive",
    "read_scene",
    "remove_drafts",
    "write_archive",
]

SCHEMA: Final = 1
"""Version of the archive's layout. A reader takes any minor addition; a change of meaning raises it."""

_DRAFT: Final = ".tmp"
_ABANDONED_S: Final = 3_600.0
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time in the members: the same scene gives the same bytes
_MAX_LOCALS_CHARS = 4_000
_PACKED = (".u32", ".u64")  # columns: zstd frames


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """A written scene: sha256 of the file (hex), its bytes, the manifest, and what the store's head row
    needs."""

    hash: str
    size: int
    manifest: dict[str, Any]
    path: Path
    frames: tuple[str, ...]  # "file:line function", outermost first
    locals_json: str  # innermost frame of the user's own: name -> short text
    secrets: tuple[str, ...] = ()  # what was hidden in it, for what is added later; never to be written


def pack_archive(
    path: Path, manifest: dict[str, Any], files: Mapping[str, bytes]
) -> tuple[ArchiveInfo, bytes]:
    """`files` and the manifest, which gets their sizes, as the bytes of one archive."""
    manifest["members"] = {name: len(data) for name, data in sorted(files.items())}
    head = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    data = _zip({"manifest.json": head, **files})
    frames, texts = _head(files.get("exception.json", b""))
    digest = hashlib.sha256(data).hexdigest()
    return ArchiveInfo(digest, len(data), manifest, path, frames, texts), data


def archive_info(path: Path, scene: SceneFile) -> ArchiveInfo:
    """Of an archive that is there. Raises SceneError."""
    exception = scene.member("exception.json") if "exception.json" in scene.names else b""
    frames, texts = _head(exception)
    return ArchiveInfo(scene.hash, scene.size, scene.manifest, path, frames, texts)


def _head(exception: bytes) -> tuple[tuple[str, ...], str]:
    try:
        views = msgspec.json.decode(exception, type=list[ExceptionView]) if exception else []
    except (msgspec.DecodeError, RecursionError):
        return (), "{}"
    frames = views[0].frames if views else []
    if not frames:
        return (), "{}"
    names = tuple(f"{frame.file}:{frame.line} {frame.function}" for frame in frames[-50:])
    own = next((frame for frame in reversed(frames) if frame.in_app), frames[-1])
    texts: dict[str, str] = {}
    used = 0
    for name, node in own.locals:
        text = (node.text or node.type)[:200]
        used += len(name) + len(text)
        if used > _MAX_LOCALS_CHARS:
            break
        texts[name] = text
    return names, msgspec.json.encode(texts).decode()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files, key=lambda name: (name != "manifest.json", name)):
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            packed = name.endswith(_PACKED)
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o600 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def write_archive(target: Path, data: bytes) -> None:
    """The whole file or, if that fails, none. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns()}{_DRAFT}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_drafts(folder: Path) -> None:
    """What processes left that were killed as they wrote an archive there. Never raises."""
    with contextlib.suppress(OSError):
        for draft in folder.glob(f".*{_DRAFT}"):
            with contextlib.suppress(OSError):
                if time.time() - draft.stat().st_mtime > _ABANDONED_S:
                    draft.unlink()
