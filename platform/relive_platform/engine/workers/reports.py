"""What a worker reports beside its answers: spans, lines, profiles, scenes; each to the attempt it is of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from relive_base.wire.messages import FunctionSpec, LogLine, Logs, encode_payload

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.clock import Clock
from relive_platform.engine.evidence import Evidence
from relive_platform.engine.intake import FLOOD_BYTES, Intake, frame_invocation
from relive_platform.engine.workers.life import STARTING, WorkerLife
from relive_platform.evidence import LOGS, Kept, Take

__all__ = ["Reports"]

CONSOLE_LATE_S: Final = 0.1
CAPTURE_S: Final = 5.0
"""How long a worker that has timed out may take to capture its scene: milliseconds, but on a busy machine."""


class Reports:
    """Of one worker. Payloads are of messages without their length."""

    def __init__(
        self,
        life: WorkerLife,
        spec: FunctionSpec,
        takes: Sequence[Take],
        on_telemetry: Callable[[Attempt | None, bytes], None],
        on_flood: Callable[[str], None],
        clock: Clock,
    ) -> None:
        """`on_telemetry` gets what goes on to the store, `on_flood` why the worker must end."""
        self.loading = Evidence()  # of its module; its profiles are told with the first invocation
        self._intake = Intake(spec.output_limit_bytes)
        self._life = life
        self._output_limit_bytes = spec.output_limit_bytes
        self._on_telemetry = on_telemetry
        self._on_flood = on_flood
        self._clock = clock
        self.begin = self._intake.begin
        self.takes: dict[str, Callable[[bytes], None]] = {
            **{take.tag: partial(self._take, take) for take in takes},
            "span_update": self.on_span_update,
            "profile": self.on_profile,
            "scene": self.on_scene,
            "late": self.on_late,
        }

    def _about(self, payload: bytes) -> Attempt | None:
        """The attempt that a message is about, by its second field."""
        invocation_id = frame_invocation(payload)
        life = self._life
        return life.find(invocation_id.decode("utf-8", "replace")) if invocation_id else life.only()

    def _take(self, take: Take, payload: bytes) -> None:
        """A message of this kind of telemetry."""
        life = self._life
        invocation_id = frame_invocation(payload).decode("utf-8", "replace")
        attempt = life.find(invocation_id) if invocation_id else life.only()
        if self._intake.takes(invocation_id, payload, take):
            self._keep(attempt, payload, take.kept)
            self._on_telemetry(attempt or self._before(invocation_id), payload)
        else:
            self._refused(attempt or life.only())

    def _keep(self, attempt: Attempt | None, payload: bytes, kept: Kept) -> None:
        if kept is Kept.NOTHING or (attempt is None and self._life.state != STARTING):
            return
        evidence = attempt.evidence if attempt is not None else self.loading
        if kept is Kept.FIRST:
            evidence.keep_spans(payload)
        else:
            evidence.keep_logs(payload)

    def _before(self, invocation_id: str) -> Attempt | None:
        """The newest one that is done, if that is the one: it may have threads that go on."""
        last = self._life.last
        return last if last is not None and last.record.invocation_id == invocation_id else None

    def _refused(self, attempt: Attempt | None) -> None:
        """It has told of an invocation that is not its own, or more than it may."""
        if attempt is not None:
            attempt.refuse(1)
        if self._intake.flooded:
            much = f"{FLOOD_BYTES >> 20} MB beyond its limits"
            self._on_flood(f"its code wrote over {much} into the connection to the server")

    def on_span_update(self, payload: bytes) -> None:
        """What the function's code put on the invoke span: told with the record."""
        attempt = self._about(payload)
        if attempt is not None:
            attempt.evidence.keep_span_update(payload)

    def on_profile(self, payload: bytes) -> None:
        """A Profile message; one without an invocation is of the module's loading."""
        attempt = self._about(payload)
        if not frame_invocation(payload):
            self.loading.keep_profile(payload)
        elif attempt is not None:
            attempt.evidence.keep_profile(payload)

    def on_scene(self, payload: bytes) -> None:
        """A Scene message."""
        attempt = self._about(payload)
        if attempt is not None:
            attempt.evidence.keep_scene(payload)
        elif self._life.state == STARTING:
            self.loading.keep_scene(payload)

    def on_late(self, payload: bytes) -> None:
        """Its timeout has struck: it gets time to say where, once."""
        attempt = self._about(payload)
        if attempt is not None:
            attempt.capture_until(self._clock.mono() + CAPTURE_S)

    def writing(self) -> Attempt | None:
        """Whose text comes through the console pipe, which may be a moment behind the messages. None: nobody
        can tell."""
        life = self._life
        if not life.begun and self._clock.mono() - life.ended_mono < CONSOLE_LATE_S:
            return life.last
        return life.only()

    def on_console(self, lines: list[LogLine]) -> None:
        """Text that its process wrote past Python, from the console pipe: it goes to the attempt that wrote
        it, within its function's limit."""
        attempt = self.writing()
        invocation_id = ""
        if attempt is not None:
            record = attempt.record
            invocation_id = record.invocation_id
            if not attempt.evidence.has_room_for(lines, self._output_limit_bytes):
                attempt.refuse(len(lines))
                return
            for line in lines:
                line.trace_id, line.span_id = record.trace_id, record.span_id
        payload = encode_payload(Logs(invocation_id=invocation_id, lines=lines))
        if attempt is None or attempt is not self._life.last:
            self._keep(attempt, payload, LOGS.kept)
        self._on_telemetry(attempt, payload)
