"""From what is known of a failed attempt to the input of its scene."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TypeVar

import msgspec
from relive_base.parts import Reason, Why
from relive_base.wire.messages import LogLine, Logs, Profile, Scene, SpanData, Spans, StackFrames
from relive_capture.explore.outside import FAULT_MEMBER, crash_view, locate
from relive_capture.explore.parts import SceneInput

from relive_platform.evidence.attempt import SceneJob
from relive_platform.evidence.cores import read_core

__all__ = ["StackMemory", "scene_input"]

T = TypeVar("T")
_log = logging.getLogger(__name__)
_scene = msgspec.msgpack.Decoder(Scene)
_frames: msgspec.msgpack.Decoder[Spans | Logs] = msgspec.msgpack.Decoder(Spans | Logs)
_profile = msgspec.msgpack.Decoder(Profile)


class StackMemory:
    """Frames of stacks by function and hash: a worker sends a stack once, a later scene needs it again."""

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._stacks: OrderedDict[tuple[str, int], StackFrames] = OrderedDict()

    def learn(self, function: str, profile: Profile) -> None:
        """Keep the stacks that `profile` brings."""
        for stack in profile.new_stacks:
            self._stacks[function, stack.stack_hash] = stack
        while len(self._stacks) > self._limit:
            self._stacks.popitem(last=False)

    def of(self, function: str, profiles: list[Profile]) -> dict[int, StackFrames]:
        """The stacks that `profiles` name, as far as they are known."""
        hashes = {value for profile in profiles for value in profile.stack_hashes}
        found = ((value, self._stacks.get((function, value))) for value in hashes)
        return {value: stack for value, stack in found if stack is not None}


def scene_input(job: SceneJob, stacks: StackMemory) -> SceneInput:
    """The frames of a job, read; one that is malformed costs itself alone."""
    logs: list[LogLine] = []
    spans: list[SpanData] = []
    for payload in job.telemetry:
        frame = _read(_frames, payload)
        if isinstance(frame, Logs):
            logs += frame.lines
        elif frame is not None:
            spans += frame.spans
    scene = _told(job)
    _add_crash(job, logs)
    profiles = [found for payload in job.profiles if (found := _read(_profile, payload)) is not None]
    return SceneInput(
        record=job.record,
        scene=scene,
        error=job.record.error,
        event=job.event,
        http=job.http,
        healthy=job.healthy,
        logs=logs,
        logs_left_out=job.logs_left_out,
        spans=spans,
        profiles=profiles,
        stacks=stacks.of(job.record.function, profiles),
        members=job.members,
        parts=job.parts,
        redactions=job.redactions,
        redact_keys=job.redact_keys,
        python=job.python,
    )


def _told(job: SceneJob) -> Scene | None:
    """The worker's own scene. One that is not final, of a process that ended over the texts of its exception,
    gives way to what was seen of the end itself."""
    scene = _read(_scene, job.scene) if job.scene else None
    if scene is None or scene.final:
        return scene
    if FAULT_MEMBER in job.members or "exception.json" in job.members or job.record.error is None:
        job.scene = b""
        return None
    scene.error = job.record.error  # how the process ended
    part = scene.parts.get("exception")
    if part is not None:
        part.reasons = [*part.reasons, Reason(Why.HOW_IT_ENDED, (scene.error.message,))]
    return scene


def _read(decoder: msgspec.msgpack.Decoder[T], payload: bytes) -> T | None:
    """None if a worker wrote what is no such frame: it costs that frame, not the scene."""
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _log.warning("a frame of a scene is malformed: %s", error)
        return None


def _add_crash(job: SceneJob, logs: list[LogLine]) -> None:
    """The frames of a process that died of a fatal error, if it could save none itself."""
    error = job.record.error
    if error is None or error.kind != "signal" or job.scene:
        return
    if job.core:
        read_core(job, error)
    member = job.members.get(FAULT_MEMBER)
    if member is None:  # the function has turned on its own fault handler, or the interpreter gave up
        text = "\n".join(line.body for line in logs if line.source == "console")
        locate(error, text, job.source, job.in_app)
    else:
        text = member.decode("utf-8", "replace")
    if "exception.json" in job.members:  # it was read from outside, or from its core file
        return
    why = job.parts["exception"].reasons if "exception" in job.parts else ()
    view = crash_view(text, error, job.source, job.in_app, job.redact_keys, why)
    if view is not None:
        job.members.update(view.members)
        job.members[FAULT_MEMBER] = text.encode()
        job.parts.update(view.parts)
        job.redactions.extend(view.redactions)
        error.traceback = error.traceback or view.error.traceback
