"""The runner of a replay that can be gone back in."""

from __future__ import annotations

from typing import Any

from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.results import BadResult, limit_size
from relive_runtime.travel.traveller import Traveller
from relive_runtime.worker.invocations import Runner

__all__ = ["TravelRunner"]


class TravelRunner(Runner):
    """Its one invocation goes by a virtual clock: no timer interrupts it, the clock does. It has no
    profile."""

    def __init__(self, *parts: Any, traveller: Traveller) -> None:
        super().__init__(*parts)
        self._traveller = traveller
        traveller.watch(self._timer)
        traveller.noticed = self._telemetry.noticed.take

    def _answer(self, attempt: Any) -> Answer:
        adapter = self._adapter
        attempt.invoke = self._traveller.begin(attempt.invoke)
        arguments = adapter.decode(attempt)
        value = self._traveller.call(adapter.call, arguments)
        try:
            answer = adapter.encode(attempt, value)
            limit_size(len(answer.body), self._spec.result_limit_bytes)
        except BadResult:
            attempt.bad_result = value
            raise
        return answer
