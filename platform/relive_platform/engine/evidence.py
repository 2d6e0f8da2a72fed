"""What an attempt leaves behind, put together from what its worker told and what the server knows."""

from __future__ import annotations

from typing import Final

from relive_base.wire.messages import NOT_APPLICABLE
from relive_capture.explore.outside import FAULT_MEMBER
from relive_capture.explore.scene import HealthyEvent
from relive_runtime.worker.faults import can_stand_still

from relive_platform.engine.invocation import Running
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import SceneJob

__all__ = ["scene_job"]

_EVENT_OFF: Final = 'capture = "off" in relive.toml: no event is kept'
_NO_STOP: Final = "the process did not stop to be read"
_CANNOT_STOP: Final = "a process cannot stop to be read: Relive's C extensions were not built"


def scene_job(running: Running, worker: Worker | None, profiles: list[bytes]) -> SceneJob:
    """What the scene of a failed attempt is made of."""
    request = running.request
    spec = worker.spec if worker is not None else None
    parts = running.external_parts
    values = spec is None or spec.capture != "off"
    if not values:
        parts = {**parts, "event": ("missing", _EVENT_OFF)}
    if not running.record.failed:
        parts = {**parts, "healthy": (NOT_APPLICABLE, "the invocation itself succeeded")}
    if worker is not None and _lost_samples(running, worker, profiles):
        parts = {**parts, "profile": ("missing", "its samples went with the process")}
    members = running.external
    if worker is not None and running.record.status in ("crash", "init_error"):
        members = {**members, **_fault_member(worker)}
        if FAULT_MEMBER in members and _died_at_once(running, worker):
            parts = {"exception": ("missing", _NO_STOP if can_stand_still() else _CANNOT_STOP), **parts}
    return SceneJob(
        record=running.record,
        scene=running.scene,
        event=request.event if values else b"",
        http=request.http if values else None,
        telemetry=[*running.telemetry, *running.logs],
        logs_left_out=running.logs_left_out,
        profiles=profiles,
        members=members,
        parts=parts,
        redactions=running.external_redactions,
        redact_keys=spec.redact_keys if spec is not None else [],
        handler=spec.handler if spec is not None else "",
        kind=spec.kind if spec is not None else "",
        source=spec.source if spec is not None else "",
        in_app=spec.in_app if spec is not None else [],
        span_updates=running.span_updates,
        core=worker.core if worker is not None else "",
        healthy=_healthy(worker) if worker is not None and values and running.record.failed else None,
    )


def _lost_samples(running: Running, worker: Worker, profiles: list[bytes]) -> bool:
    """Samples leave the process with the last frame of an invocation: one that died has not sent any."""
    wanted = running.profile or worker.spec.profile
    return not profiles and worker.exited is not None and worker.ready is not None and wanted != "off"


def _healthy(worker: Worker) -> HealthyEvent | None:
    """The last event of the same function version that succeeded."""
    if worker.owner.healthy is None:
        return None
    request, record = worker.owner.healthy
    return HealthyEvent(record.invocation_id, record.started_ns, record.trigger, request.event, request.http)


def _died_at_once(running: Running, worker: Worker) -> bool:
    """Of a fatal signal, without standing still."""
    error = running.record.error
    return worker.crashed is None and error is not None and error.kind == "signal"


def _fault_member(worker: Worker) -> dict[str, bytes]:
    text = worker.fault_text() if worker.exited is not None else ""
    return {FAULT_MEMBER: text.encode()} if text else {}
