"""What a process that has ended had told of where it stood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from relive_base.wire.messages import ErrorInfo

from relive_platform.engine.evidence import Evidence

__all__ = ["adopt_place", "crashed_in"]

_FRAMES: Final = "native/pyspy.json"
_FAILED: Final = "MainThread"
"""The name of the one that failed, whichever it was; the reader tells threads in any order."""
_LOCAL: Final = "relive_invocation"
"""A local of the worker's own frame below the code of each request of a service."""


class _SceneError(msgspec.Struct, tag_field="t", tag="scene", array_like=True):
    """Of a Scene frame what the server itself needs: its first fields."""

    invocation_id: str
    captured_ns: int
    error: ErrorInfo


_scene = msgspec.msgpack.Decoder(_SceneError)


def adopt_place(evidence: Evidence, error: ErrorInfo | None) -> None:
    """What the worker knows better than the server: where it stood, and so which failures are the same."""
    try:
        told = _scene.decode(evidence.scene).error
    except (msgspec.DecodeError, msgspec.ValidationError):
        evidence.forget_scene()  # a hostile worker's; there is no other
        return
    if error is not None:
        error.file, error.line, error.function, error.module = (
            told.file,
            told.line,
            told.function,
            told.module,
        )
        error.traceback = told.traceback
        error.fingerprint = told.fingerprint or error.fingerprint


def crashed_in(members: Mapping[str, bytes]) -> str:
    """The invocation in whose code a process crashed that ran many, by the frames that were read of it; "" if
    they do not say."""
    try:
        threads = msgspec.json.decode(members.get(_FRAMES, b"[]"), type=list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ""
    failed = [thread for thread in threads if thread.get("thread_name") == _FAILED] or threads[:1]
    for frame in failed[0].get("frames", ()) if failed else ():
        for local in frame.get("locals") or ():
            if local.get("name") == _LOCAL:
                return str(local.get("repr", "")).strip("'\"")
    return ""
