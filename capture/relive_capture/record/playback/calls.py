"""Recorded calls, for what stands in the place of the libraries that make them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from relive_base.redaction.redactor import Redactor

from relive_capture.bodies import body_bytes
from relive_capture.record.playback.answers import NotRecorded, is_abandoned, pause, rebuild
from relive_capture.record.playback.recorded_calls import RecordedCalls, one_call
from relive_capture.record.playback.typed.answers import TypedAnswer
from relive_capture.record.playback.undo import Undo
from relive_capture.recording_format import RecordedCall, ReplayInput
from relive_capture.typed_values import ValueCodec

__all__ = ["HINT", "PlayedCalls"]

_LONGEST_S = 900.0
HINT = "run the replay with --live to let calls reach the network"
_FUNCTIONS = "a replay asks no other function; to run it with them: relive invoke FUNCTION"


class PlayedCalls:
    """Answers each call as it was answered, and refuses others."""

    def __init__(self, script: ReplayInput, redact_keys: Iterable[str], hint: str) -> None:
        self.undo = Undo()
        self._hint = hint
        self._script = script
        self.recorded_calls = RecordedCalls(script.recorded_calls, Redactor(redact_keys), script.answers)
        self.object_ids: deque[tuple[bytes, int]] = deque()
        """ObjectIds of bson that are yet to be made: the first one of each run, and how many it has."""
        self.own_ports: set[object] = set()
        """Where the function itself has listened: it may go there."""

    @property
    def hint(self) -> str:
        """What to do about a call that is not there."""
        return self._hint

    def request(self, method: str, url: str, body: bytes) -> RecordedCall:
        """The recorded call, of which the caller does `took_s`, then `ended`. Raises NotRecorded."""
        found = self.recorded_calls.take("http", method, url, body)
        if found is None:
            raise NotRecorded(f"{method} {url} is not in the scene's recording", hint=self._hint)
        return found

    def values(
        self, codec: ValueCodec, method: str, target: str, statement: str = "", request: object = None
    ) -> TypedAnswer:
        """The answer of a call of typed values, of which the caller does `took_s`, and `failure` if it ended
        in one. Raises NotRecorded."""
        found = self.recorded_calls.take_values(method, target, statement, codec.encode(request))
        if found is None:
            what = one_call(method, statement or target)
            raise NotRecorded(f"{what} is not in the scene's recording", hint=self._hint)
        return TypedAnswer(found, codec, self._hint)

    def took_s(self, recorded_call: RecordedCall) -> float:
        """How long to wait before its answer: what it took if time matters to the failure, else 0."""
        return min(recorded_call.took_ns / 1e9, _LONGEST_S) if self._script.paced else 0.0

    def ended(self, recorded_call: RecordedCall) -> bool:
        """Whether it had a response; if not it was given up (`is_abandoned`), and the caller waits. Raises
        what it ended in before there was one."""
        if recorded_call.failure is not None and not recorded_call.status and not is_abandoned(recorded_call):
            raise rebuild(recorded_call.failure)
        return bool(recorded_call.status)

    def connection_failure(self, host: object, port: object) -> Exception | None:
        """What a connection to that place ended in."""
        found = self.recorded_calls.failed("connect", f"{host}:{port}")
        return rebuild(found.failure) if found is not None and found.failure is not None else None

    def handshake_failure(self, host: object) -> Exception | None:
        """What a TLS handshake with that host ended in."""
        found = self.recorded_calls.failed("connect", str(host))
        return rebuild(found.failure) if found is not None and found.failure is not None else None

    def refuse(self, what: str) -> NotRecorded:
        """The error for something that would reach the network and is no recorded call."""
        self.recorded_calls.missing.append(what)
        return NotRecorded(f"{what} is not in the scene's recording", hint=self._hint)

    def invoked(self, method: str, function: str, payload: bytes) -> tuple[RecordedCall, bytes]:
        """The recorded answer of another function, with `live`, too: there is no server to ask. Raises
        NotRecorded."""
        found = self.recorded_calls.take("invoke", method, function, payload)
        if found is None:
            hint = _FUNCTIONS if self._hint == HINT else self._hint
            raise NotRecorded(f"the call of {function} is not in the scene's recording", hint=hint)
        pause(self.took_s(found))
        return found, body_bytes(found.response_body)
