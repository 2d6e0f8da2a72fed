"""What a failed process could save."""

from __future__ import annotations

from relive_base.parts import PartState
from relive_base.wire.messages.errors import ErrorInfo
from relive_base.wire.messages.frame import Frame

__all__ = ["Playback", "Scene"]


class Scene(Frame, tag="scene"):
    """What the failed process itself could save. Members are archive files, already redacted."""

    invocation_id: str
    captured_ns: int
    error: ErrorInfo
    members: dict[str, bytes] = {}
    parts: dict[str, PartState] = {}
    redactions: list[str] = []
    capture_ns: int = 0  # what the capture cost
    final: bool = True
    recording: bytes = b""  # msgpack of a relive_capture.recording_format.Recording, not redacted yet
    secrets: list[
        str
    ] = []  # what was hidden in the members: to be hidden elsewhere, too, never to be written


class Playback(Frame, tag="playback"):
    """Before the Result of a replay: msgpack of a relive_capture.recording_format.PlaybackReport."""

    report: bytes
