"""What an attempt leaves behind, put together from what its worker told and what the server knows."""

from __future__ import annotations

from relive_base.parts import Why, missing, not_applicable
from relive_capture.explore.outside import FAULT_MEMBER
from relive_capture.explore.parts import HealthyEvent
from relive_runtime.adapters.table import BESIDE
from relive_runtime.worker.faults import can_stand_still

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.successes import Success
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import SceneJob

__all__ = ["scene_job"]


def scene_job(attempt: Attempt, worker: Worker | None, profiles: list[bytes]) -> SceneJob:
    """What the scene of a failed attempt is made of."""
    request = attempt.request
    spec = worker.spec if worker is not None else None
    evidence = attempt.evidence
    parts = evidence.parts
    values = spec is None or spec.capture != "off"
    if not values:
        parts = {**parts, "event": missing(Why.EVENT_OFF)}
    healthy = _healthy(attempt, worker) if worker is not None and values and attempt.record.failed else None
    if not attempt.record.failed:
        parts = {**parts, "healthy": not_applicable(Why.SUCCEEDED)}
    elif healthy is None and worker is not None and values and worker.owner.healthy:
        parts = {**parts, "healthy": missing(Why.NONE_LIKE_IT)}
    if worker is not None and _lost_samples(attempt, worker, profiles):
        parts = {**parts, "profile": missing(Why.SAMPLES_LOST)}
    members = evidence.members
    elsewhere = worker is not None and worker.crashed_in not in ("", attempt.record.invocation_id)
    if worker is not None and attempt.record.status in ("crash", "init_error") and not elsewhere:
        members = {**members, **_fault_member(worker)}
        if FAULT_MEMBER in members and _died_at_once(attempt, worker):
            parts = {"exception": missing(Why.NO_STOP if can_stand_still() else Why.CANNOT_STOP), **parts}
    return SceneJob(
        record=attempt.record,
        scene=evidence.scene,
        event=request.event if values else b"",
        http=request.http if values else None,
        telemetry=[*evidence.spans, *evidence.logs],
        logs_left_out=evidence.logs_left_out,
        profiles=profiles,
        members=members,
        parts=parts,
        redactions=evidence.redactions,
        redact_keys=spec.redact_keys if spec is not None else [],
        handler=spec.handler if spec is not None else "",
        kind=spec.kind if spec is not None else "",
        source=spec.source if spec is not None else "",
        in_app=spec.in_app if spec is not None else [],
        span_updates=evidence.span_updates,
        core=worker.core if worker is not None else "",
        healthy=_event(healthy) if healthy is not None else None,
    )


def _lost_samples(attempt: Attempt, worker: Worker, profiles: list[bytes]) -> bool:
    """Samples leave the process with the last frame of an invocation: one that died has not sent any."""
    wanted = attempt.profile or worker.spec.profile
    return not profiles and worker.exited is not None and worker.ready is not None and wanted != "off"


def _healthy(attempt: Attempt, worker: Worker) -> Success | None:
    """The last event of the same function version that succeeded; of a service the last request like it."""
    successes = worker.owner.healthy
    return (
        None if successes is None else successes.like(attempt.request, of_its_path=worker.spec.kind in BESIDE)
    )


def _event(healthy: Success) -> HealthyEvent:
    request, record = healthy
    return HealthyEvent(record.invocation_id, record.started_ns, record.trigger, request.event, request.http)


def _died_at_once(attempt: Attempt, worker: Worker) -> bool:
    """Of a fatal signal, without standing still."""
    error = attempt.record.error
    return worker.crashed is None and error is not None and error.kind == "signal"


def _fault_member(worker: Worker) -> dict[str, bytes]:
    text = worker.handle.fault_text() if worker.exited is not None else ""
    return {FAULT_MEMBER: text.encode()} if text else {}
