"""Writing scene archives: deterministic, fsynced, renamed into place."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import ErrorInfo

from relive_capture.explore.errors import SceneError
from relive_capture.explore.scene.members import SceneInput, SceneMembers, build_members
from relive_capture.explore.scene.reader import Limits, SceneFile, read_scene
from relive_capture.model import ExceptionView
from relive_capture.record.exceptions import fingerprint_of_names

__all__ = [
    "SCHEMA",
    "ArchiveInfo",
    "Limits",
    "SceneError",
    "SceneFile",
    "SceneInput",
    "pack_archive",
    "pack_scene",
    "read_scene",
    "write_archive",
    "write_scene",
]

SCHEMA: Final = 1
"""Version of the archive's layout. A reader takes any minor addition; a change of meaning raises it."""

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


def write_scene(path: str | os.PathLike[str], source: SceneInput) -> ArchiveInfo:
    """Write the scene to `path` (mode 0600). A crash leaves either the whole file or none. Raises OSError."""
    info, data = pack_scene(path, source)
    write_archive(info.path, data)
    return info


def pack_scene(path: str | os.PathLike[str], source: SceneInput) -> tuple[ArchiveInfo, bytes]:
    """What `write_scene` writes, without writing it."""
    built = build_members(source)
    info, data = pack_archive(Path(path), _manifest(source, built), built.files)
    return replace(info, secrets=tuple(built.redactor.secrets)), data


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


def _manifest(source: SceneInput, built: SceneMembers) -> dict[str, Any]:
    record = source.record
    error = _error(source)
    return {
        "schema": SCHEMA,
        "invocation_id": record.invocation_id,
        "attempt": record.attempt,
        "function": record.function,
        "version": record.version,
        "app": record.app,
        "code_hash": record.code_hash,
        "kind": error.kind,
        "status": record.status,
        "fingerprint": _fingerprint(error, record.function),
        "error": _clean_error(error, built.redactor),
        "trigger": record.trigger,
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "captured_ns": _captured_ns(source),
        "capture_ns": source.scene.capture_ns if source.scene is not None else 0,
        "times": _times(source),
        "resources": {
            "cpu_ns": record.cpu_ns,
            "peak_rss_bytes": record.peak_rss_bytes,
            "memory_limit_bytes": record.memory_limit_bytes,
            "timeout_ns": record.timeout_ns,
        },
        "worker": {"pid": record.worker_pid, "isolation_tier": record.isolation_tier, "cold": record.cold},
        "python": source.python or _python(built),
        "event": {"kind": "http" if source.http is not None else "json", "bytes": record.event_bytes},
        "parts": {
            name: {"state": part.state, "reason": part.reason} for name, part in sorted(built.parts.items())
        },
        "redacted": len(built.redactions),
    }


def _error(source: SceneInput) -> ErrorInfo:
    if source.scene is not None:
        return source.scene.error
    return source.error or source.record.error or ErrorInfo(type="Unknown", message="", kind="signal")


def _clean_error(error: ErrorInfo, redactor: Redactor) -> dict[str, Any]:
    values = {name: getattr(error, name) for name in ErrorInfo.__struct_fields__}
    return {name: redactor.text(value) if isinstance(value, str) else value for name, value in values.items()}


def _fingerprint(error: ErrorInfo, function: str) -> str:
    """The error's own; if the process could not say it, one for the function and the way it ended."""
    return error.fingerprint or fingerprint_of_names(error.kind, error.type, [function])


def _captured_ns(source: SceneInput) -> int:
    given = source.captured_ns or (source.scene.captured_ns if source.scene is not None else 0)
    return given or source.record.ended_ns or time.time_ns()


def _times(source: SceneInput) -> dict[str, int]:
    record = source.record
    names = (
        "accepted_ns",
        "enqueued_ns",
        "dispatched_ns",
        "init_started_ns",
        "init_ended_ns",
        "started_ns",
        "ended_ns",
    )
    return {name: getattr(record, name) for name in names}


def _python(built: SceneMembers) -> str:
    data = built.files.get("environment.json")
    try:
        found = msgspec.json.decode(data) if data else {}
    except msgspec.DecodeError:
        return ""
    python = found.get("python", "") if isinstance(found, dict) else ""
    return python if isinstance(python, str) else ""


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
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
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
