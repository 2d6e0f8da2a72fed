"""What a replay goes by: `replay.json` and `cassette.json`, from what the worker told, or without it."""

from __future__ import annotations

import msgspec
from relive_base.parts import PartState, State, Why, missing, not_applicable, ok, partial
from relive_base.records import InvocationRecord

from relive_capture.explore.parts.part import Extent, SceneInput, SceneMembers, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.scene.read_files import clean_files, clean_variables, file_reasons
from relive_capture.explore.scene.recordings import build_recording, decode_recording
from relive_capture.explore.text import Line, call_lines, calls_json, file_lines, left_lines
from relive_capture.recording_format import ReplayNotes, Seeds

__all__ = ["CASSETTE", "REPLAY"]


def _collect_replay(source: SceneInput, built: SceneMembers) -> None:
    record, scene = source.record, source.scene
    found = decode_recording(scene.recording) if scene is not None else None
    notes = found.notes if found is not None else _notes(record)
    notes.function, notes.version = record.function, record.version
    notes.invocation_id, notes.trace_id = record.invocation_id, record.trace_id
    notes.attempt, notes.trigger = record.attempt, record.trigger
    redactor = built.redactor
    notes.globals = {redactor.key(name): redactor.text(text) for name, text in notes.globals.items()}
    places: list[str] = []
    clean_files(notes.init_files, redactor, places)
    clean_files(notes.files, redactor, places)
    clean_variables(notes, redactor, places)
    built.redactions.extend(places)
    notes.programs = [redactor.text(name) for name in notes.programs]
    notes.limits += file_reasons(notes)
    built.files["replay.json"] = msgspec.json.encode(notes)
    if scene is None:
        built.parts["replay"] = source.parts.get("replay") or partial(Why.ENDED_BEFORE_RECORDING)
    elif "replay" not in scene.parts:
        limits = notes.limits if found is not None else []
        built.parts["replay"] = PartState(State.PARTIAL, list(limits)) if limits else ok()


def _collect_cassette(source: SceneInput, built: SceneMembers) -> None:
    if source.scene is None:
        built.parts["cassette"] = missing(Why.ENDED_BEFORE_RECORDING)
        return
    found = decode_recording(source.scene.recording)
    if found is None:
        return
    checked = build_recording(found, built.redactor)
    built.parts["cassette"] = checked.state
    built.redactions.extend(checked.redactions)
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


def _render_calls(scene: SceneFile, extent: Extent) -> list[Line]:
    return call_lines(scene.recorded_calls, extent.wide, extent.calls, bodies=extent.bodies)


def _render_before(scene: SceneFile, extent: Extent) -> list[Line]:
    notes = scene.replay_notes
    return left_lines(notes, extent.width) + file_lines(notes, extent.width)


REPLAY = ScenePart(
    name="replay",
    absent=always(missing()),
    collect=_collect_replay,
    read=lambda scene: scene.replay_notes,
    render=_render_before,
)
CASSETTE = ScenePart(
    name="cassette",
    absent=always(not_applicable(Why.NO_CALLS)),
    collect=_collect_cassette,
    json_key="calls",
    read=lambda scene: calls_json(scene.recorded_calls),
    render=_render_calls,
)
