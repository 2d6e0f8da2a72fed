"""`replay.json` and `cassette.json` of a scene: from what the worker told, or without it."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from relive_base.records import InvocationRecord
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import PartState, Scene

from relive_capture.explore.scene.recordings import build_recording, decode_recording
from relive_capture.recording_format import Recording, ReplayNotes, Seeds

__all__ = ["Recorded", "recorded_members"]

_GONE = "the process ended before it could save its seeds and calls"


class Recorded(msgspec.Struct):
    """Archive members, parts and redacted places."""

    files: dict[str, bytes]
    parts: dict[str, PartState]
    redactions: list[str]


def recorded_members(
    record: InvocationRecord, scene: Scene | None, given: Collection[str], redactor: Redactor
) -> Recorded:
    """`scene` is what the worker told, None if it could not; `given`: parts that are known already."""
    found = decode_recording(scene.recording) if scene is not None else None
    notes = found.notes if found is not None else _notes(record)
    notes.function, notes.version = record.function, record.version
    notes.invocation_id, notes.trace_id = record.invocation_id, record.trace_id
    notes.attempt, notes.trigger = record.attempt, record.trigger
    notes.globals = {redactor.key(name): redactor.text(text) for name, text in notes.globals.items()}
    built = Recorded({"replay.json": msgspec.json.encode(notes)}, {}, [])
    if found is not None:
        _add_recording(built, found, redactor)
    elif scene is None:
        built.parts = {"replay": PartState("partial", _GONE), "cassette": PartState("missing", _GONE)}
    elif "replay" not in given:
        built.parts = {"replay": PartState("ok")}
    return built


def _add_recording(built: Recorded, recording: Recording, redactor: Redactor) -> None:
    checked = build_recording(recording, redactor)
    limits = recording.notes.limits
    built.parts["replay"] = PartState("partial", "; ".join(limits)) if limits else PartState("ok")
    built.parts["cassette"] = checked.state
    built.redactions = checked.redactions
    if checked.recorded_calls:
        built.files["cassette.json"] = msgspec.json.encode(checked.recorded_calls)


def _notes(record: InvocationRecord) -> ReplayNotes:
    return ReplayNotes(
        code_hash=record.code_hash,
        timeout_s=record.timeout_ns / 1e9,
        memory_mb=record.memory_limit_bytes // 1_048_576,
        isolation_tier=record.isolation_tier,
        seeds=Seeds(wall_ns=record.started_ns or record.dispatched_ns or record.accepted_ns),
    )
