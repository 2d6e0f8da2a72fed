"""What a server that was killed had not handed on: made of its journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from relive_base.parts import Why, missing
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo

from relive_platform.evidence import Finished, SceneJob
from relive_platform.signals.handover.batches import (
    Answered,
    Begun,
    HeapJob,
    Telemetry,
    Tentative,
)
from relive_platform.signals.handover.journal import Segment

__all__ = ["LOST", "Recovered", "recover"]

LOST: Final = "lost"
_LOST: Final = "the server ended while this attempt ran: nobody was answered"


@dataclass(slots=True)
class Recovered:
    """Rows and scenes in their order, each with its number; then the attempts that had been answered or had
    only begun when the server ended, and their scenes."""

    rows: list[tuple[int, Telemetry | Finished]] = field(default_factory=list)
    scenes: list[tuple[int, SceneJob | HeapJob]] = field(default_factory=list)
    ended: list[Finished] = field(default_factory=list)
    last_scenes: list[SceneJob] = field(default_factory=list)
    lost: int = 0  # attempts without an answer
    last_row: int = 0  # recorded, whether it is here or not
    last_scene: int = 0
    missing: int = 0  # rows and scenes that are known to have been recorded and can be read nowhere
    damaged: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Attempt:
    record: InvocationRecord
    answered: bool = False
    scene: SceneJob | None = None


def recover(segments: Sequence[Segment], rows_done: int, scenes_done: int, ended_ns: int) -> Recovered:
    """What is to be written still: rows from number `rows_done` + 1, scenes from `scenes_done` + 1.
    `ended_ns` is when the server was seen alive last."""
    found = Recovered()
    known = [rows_done, scenes_done]  # numbers up to which nothing is missing
    running: dict[tuple[str, int], _Attempt] = {}
    for segment in segments:
        _add(found, running, segment, rows_done, scenes_done)
        found.missing += max(segment.rows - known[0], 0) + max(segment.scenes - known[1], 0)
        known = [max(known[0], found.last_row), max(known[1], found.last_scene)]
    for attempt in running.values():
        _end(found, attempt, ended_ns)
    return found


def _add(
    found: Recovered,
    running: dict[tuple[str, int], _Attempt],
    segment: Segment,
    rows_done: int,
    scenes_done: int,
) -> None:
    row, scene = segment.rows, segment.scenes
    for item in segment.items:
        if isinstance(item, (Telemetry, Finished)):
            row += 1
            if isinstance(item, Finished):
                running.pop((item.record.invocation_id, item.record.attempt), None)
            if row > rows_done:
                found.rows.append((row, item))
        elif isinstance(item, (SceneJob, HeapJob)):
            scene += 1
            if scene > scenes_done:
                found.scenes.append((scene, item))
        elif isinstance(item, Begun):
            key = (item.record.invocation_id, item.record.attempt)
            running[key] = _Attempt(
                item.record
            )  # again when a segment begins: what follows is told again, too
        else:
            _learn(running, item)
    found.last_row, found.last_scene = max(row, found.last_row), max(scene, found.last_scene)
    if segment.damaged:
        found.damaged.append(segment.damaged)


def _learn(running: dict[tuple[str, int], _Attempt], item: Answered | Tentative) -> None:
    if isinstance(item, Tentative):
        record = item.job.record
        attempt = running.get((record.invocation_id, record.attempt))
        if attempt is not None:
            attempt.scene, attempt.record, attempt.answered = item.job, record, True
        return
    attempt = running.get((item.invocation_id, item.attempt))
    if attempt is None:
        return
    attempt.answered = True
    record = attempt.record
    for name in item.__struct_fields__:
        setattr(record, name, getattr(item, name))


def _end(found: Recovered, attempt: _Attempt, ended_ns: int) -> None:
    record, job = attempt.record, attempt.scene
    if not attempt.answered:
        found.lost += 1
        record.status = LOST
        record.started_ns = record.started_ns or record.dispatched_ns
        record.ended_ns = max(ended_ns, record.started_ns, record.accepted_ns)
        record.error = ErrorInfo(type="ServerEnded", message=_LOST, kind=LOST)
    record.has_scene = job is not None
    if job is not None:
        job.parts = {**job.parts, "live": missing(Why.SERVER_ENDED)}
        job.record = record
        found.last_scenes.append(job)
    found.ended.append(Finished(record, [], job.redact_keys if job is not None else []))
