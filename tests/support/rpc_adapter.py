"""An adapter for a kind of handler of its own, as `ARCHITECTURE.md` says to add one: a class whose methods
are called by name."""

from __future__ import annotations

from typing import Any

from relive_runtime.adapters.base import Answer, Attempt
from relive_runtime.adapters.event.decoding import BadEvent, decode_event
from relive_runtime.adapters.loaded import Loaded
from relive_runtime.adapters.one_at_a_time import OneAtATime
from relive_runtime.adapters.results import encode_result

__all__ = ["RpcAdapter"]


class RpcAdapter(OneAtATime):
    """The event is `{"method": ..., "params": [...]}`; the answer is `{"result": ...}`."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded.function)
        self._service = loaded.function()

    def decode(self, attempt: Attempt) -> tuple[Any, ...]:
        event = decode_event(attempt.invoke.event)
        method = getattr(self._service, event["method"], None) if isinstance(event, dict) else None
        if method is None:
            raise BadEvent("the event names no method of the service")
        return method, event["params"]

    def call(self, arguments: tuple[Any, ...]) -> Any:
        method, params = arguments
        return method(*params)

    def encode(self, _attempt: Attempt, value: Any) -> Answer:
        return Answer(encode_result({"result": value}))
