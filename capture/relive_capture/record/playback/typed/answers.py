"""The answer of a recorded call of typed values, read value by value."""

from __future__ import annotations

from typing import Any

from relive_capture.bodies import body_bytes
from relive_capture.record.playback.answers import NotRecorded, is_abandoned, wait, wait_async
from relive_capture.record.playback.recorded_calls import one_call
from relive_capture.recording_format import RecordedCall
from relive_capture.typed_values import UnknownValueError, ValueCodec

__all__ = ["TypedAnswer"]


class TypedAnswer:
    """What was answered, in order. `hint`: for what is not there."""

    def __init__(self, recorded_call: RecordedCall, codec: ValueCodec, hint: str) -> None:
        self.recorded_call = recorded_call
        self._codec = codec
        self._hint = hint
        data = body_bytes(recorded_call.response_body)
        self._lines = data.split(b"\n") if data else []
        self._at = 0

    @property
    def abandoned(self) -> bool:
        """Whether the function gave the call up: whoever plays it waits, until it does so again."""
        failure = self.recorded_call.failure
        return failure is not None and is_abandoned(self.recorded_call)

    @property
    def given_up(self) -> bool:
        """The same of a call that has an answer in any case: without one it was given up, too."""
        entry = self.recorded_call
        unanswered = entry.failure is None and not self._lines and not entry.response_body.cut
        return unanswered or self.abandoned

    def wait_if_abandoned(self) -> None:
        """For ever, if it was given up."""
        if self.abandoned:
            wait()

    async def wait_if_abandoned_async(self) -> None:
        """The same in an event loop."""
        if self.abandoned:
            await wait_async()

    @property
    def more(self) -> bool:
        """Whether there is another value, or one that is not there because of a limit."""
        return self._at < len(self._lines) or bool(self.recorded_call.response_body.cut)

    def next(self) -> Any:
        """The next value. Raises NotRecorded if it is over a limit of the recording, of a type that cannot
        be made again, or was never read."""
        if self._at >= len(self._lines):
            cut = self.recorded_call.response_body.cut
            why = "over the size limit of the recording" if cut else "not in the scene's recording"
            raise NotRecorded(f"the rest of the answer of {self._name()} is {why}", hint=self._hint)
        line = self._lines[self._at]
        self._at += 1
        try:
            return self._codec.decode(line)
        except UnknownValueError as error:
            raise NotRecorded(
                f"the answer of {self._name()} has a {error}, which a recording does not hold",
                hint=self._hint,
            ) from None
        except ValueError as error:
            raise NotRecorded(
                f"the answer of {self._name()} cannot be read: {error}", hint=self._hint
            ) from None

    def _name(self) -> str:
        entry = self.recorded_call
        return one_call(entry.method, entry.statement or entry.url)
