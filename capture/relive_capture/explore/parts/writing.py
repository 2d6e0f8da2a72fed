"""From all that is known of a failed attempt to its archive."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import ErrorInfo

from relive_capture.explore.parts.collecting import build_members
from relive_capture.explore.parts.part import SceneInput, SceneMembers, ScenePart
from relive_capture.explore.parts.table import PARTS
from relive_capture.explore.scene import SCHEMA, ArchiveInfo, pack_archive, write_archive
from relive_capture.explore.scene.manifest_parts import part_to_manifest
from relive_capture.record.exceptions import fingerprint_of_names

__all__ = ["pack_scene", "write_scene"]


def write_scene(
    path: str | os.PathLike[str], source: SceneInput, parts: Sequence[ScenePart] = PARTS
) -> ArchiveInfo:
    """Write the scene to `path` (mode 0600). A crash leaves either the whole file or none. Raises OSError."""
    info, data = pack_scene(path, source, parts)
    write_archive(info.path, data)
    return info


def pack_scene(
    path: str | os.PathLike[str], source: SceneInput, parts: Sequence[ScenePart] = PARTS
) -> tuple[ArchiveInfo, bytes]:
    """What `write_scene` writes, without writing it."""
    built = build_members(source, parts)
    info, data = pack_archive(Path(path), _manifest(source, built), built.files)
    return replace(info, secrets=tuple(built.redactor.secrets)), data


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
        "parts": {name: part_to_manifest(part) for name, part in sorted(built.parts.items())},
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
