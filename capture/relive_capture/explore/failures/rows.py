"""Columns of the store's tables for scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relive_capture.explore.scene import ArchiveInfo

__all__ = ["CHUNK_BYTES", "blob_columns", "scene_columns"]

CHUNK_BYTES: Final = 1024 * 1024
_MAX_MESSAGE = 2_000


def scene_columns(scenes: Sequence[ArchiveInfo]) -> dict[str, list[object]]:
    """Columns of `failure_scenes`, one row a scene."""
    columns: dict[str, list[object]] = {}
    for scene in scenes:
        for name, value in _scene_row(scene).items():
            columns.setdefault(name, []).append(value)
    return columns


def _scene_row(scene: ArchiveInfo) -> dict[str, object]:
    manifest = scene.manifest
    error = manifest["error"]
    return {
        "InvocationId": manifest["invocation_id"],
        "Attempt": manifest["attempt"],
        "CapturedAt": manifest["captured_ns"],
        "Function": manifest["function"],
        "Version": manifest["version"],
        "App": manifest["app"],
        "CodeHash": manifest["code_hash"],
        "Kind": manifest["kind"],
        "ErrorType": error["type"],
        "Message": error["message"][:_MAX_MESSAGE],
        "Fingerprint": manifest["fingerprint"],
        "File": error.get("file", ""),
        "Line": error.get("line", 0),
        "ErrorFunction": error.get("function", ""),
        "Frames": list(scene.frames),
        "TraceId": manifest["trace_id"],
        "SpanId": manifest["span_id"],
        "Locals": scene.locals_json,
        "Parts": {name: part["state"] for name, part in manifest["parts"].items()},
        "SizeBytes": scene.size,
        "ArchiveHash": scene.hash,
    }


def blob_columns(archive_hash: str, data: bytes, created_ns: int) -> dict[str, list[object]]:
    """Columns of `scene_blobs`: the archive in chunks of at most 1 MiB."""
    chunks = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)] or [b""]
    count = len(chunks)
    return {
        "ArchiveHash": [archive_hash] * count,
        "Chunk": list(range(count)),
        "Chunks": [count] * count,
        "Data": list(chunks),
        "SizeBytes": [len(data)] * count,
        "CreatedAt": [created_ns] * count,
    }
