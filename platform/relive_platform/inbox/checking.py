"""Whether what came is a scene, all of it. Whoever made it may be hostile: nothing of it is believed."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Final

from relive_base.records import FAILURE_KINDS
from relive_base.terminal import one_line
from relive_capture.explore import SceneError
from relive_capture.explore.parts import PARTS
from relive_capture.explore.scene import ArchiveInfo, SceneFile, read_scene, scene_path

__all__ = ["checked", "info_of"]

_INVOCATION: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16}")
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_SPAN: Final = re.compile(r"[0-9a-f]{16}")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.:-]+")
_ATTEMPTS: Final = 100
_FRAMES: Final = 50
_TEXT: Final = 2_000
_AHEAD_NS: Final = 86_400 * 1_000_000_000
_PARTS: Final = {part.name for part in PARTS}


def checked(data: bytes, where: str) -> SceneFile:
    """The scene, every member of it read. Raises SceneError."""
    scene = read_scene(data)
    if not _INVOCATION.fullmatch(scene.invocation_id):
        raise SceneError("its invocation's id is none", where=where)
    if not 1 <= scene.attempt <= _ATTEMPTS:
        raise SceneError(f"its attempt is not between 1 and {_ATTEMPTS}", where=where)
    if str(scene.manifest["kind"]) not in FAILURE_KINDS:
        raise SceneError("it is not of a failure", where=where)
    if scene.manifest["captured_ns"] > time.time_ns() + _AHEAD_NS:  # it would be the newest one for ever
        raise SceneError("it says that it was captured more than a day ahead", where=where)
    for part in PARTS:
        if part.read is not None:
            part.read(scene)
    for read in (lambda: scene.event, lambda: scene.logs, lambda: scene.spans, lambda: scene.redactions):
        read()
    return scene


def info_of(scene: SceneFile, scenes_dir: Path) -> ArchiveInfo:
    """What the store's row needs, of a checked scene: texts bounded, numbers within their columns."""
    given = scene.manifest
    error = given["error"]
    first = scene.exceptions[0]
    frames = tuple(
        one_line(f"{frame.file}:{frame.line} {frame.function}", 400) for frame in first.frames[-_FRAMES:]
    )
    manifest: dict[str, Any] = {
        "invocation_id": scene.invocation_id,
        "attempt": scene.attempt,
        "function": _name(given["function"]),
        "version": _number(given["version"], 2**31),
        "app": _text(given.get("app"), 100),
        "code_hash": _text(given.get("code_hash"), 64),
        "kind": str(given["kind"]),
        "captured_ns": _number(given["captured_ns"], 2**62),
        "fingerprint": _formed(_FINGERPRINT, given["fingerprint"]),
        "trace_id": _formed(_TRACE, given["trace_id"]),
        "span_id": _formed(_SPAN, given.get("span_id")),
        "parts": {name: {"state": str(part.state)} for name, part in scene.parts.items() if name in _PARTS},
        "error": {
            "type": _text(error.get("type"), 200) or "Unknown",
            "message": _text(error.get("message"), _TEXT),
            "file": _text(error.get("file"), 400),
            "line": _number(error.get("line"), 2**31),
            "function": _text(error.get("function"), 200),
        },
    }
    path = scene_path(scenes_dir, scene.invocation_id, scene.attempt)
    return ArchiveInfo(scene.hash, scene.size, manifest, path, frames, "{}")


def _name(value: object) -> str:
    """A function's name as it can be typed."""
    text = str(value)[:100]
    return text if _NAME.fullmatch(text) else _UNSAFE.sub("-", text).strip("-.:") or "unnamed"


def _text(value: object, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


def _formed(form: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""


def _number(value: object, below: int) -> int:
    return value if type(value) is int and 0 <= value < below else 0
