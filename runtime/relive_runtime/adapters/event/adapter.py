"""Calls event functions."""

from __future__ import annotations

from types import CoroutineType
from typing import Any

from relive_runtime.adapters.base import Answer, Attempt
from relive_runtime.adapters.event.answers import event_answer
from relive_runtime.adapters.event.context import LambdaContext
from relive_runtime.adapters.event.decoding import decode_event
from relive_runtime.adapters.event.payload import http_event
from relive_runtime.adapters.loaded import Loaded
from relive_runtime.adapters.one_at_a_time import OneAtATime
from relive_runtime.adapters.results import encode_result

__all__ = ["EventAdapter"]


class EventAdapter(OneAtATime):
    """The event is JSON; of an HTTP request it is what AWS's gateways make of one."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded.function)
        self._function = loaded.function
        self._spec = loaded.spec
        self._log_stream = loaded.log_stream

    def decode(self, attempt: Attempt) -> tuple[Any, ...]:
        """Event and context. Raises BadEvent."""
        invoke = attempt.invoke
        context = LambdaContext(self._spec, invoke, self._log_stream)
        if invoke.http is not None:
            return http_event(invoke, invoke.http, self._spec), context
        return decode_event(invoke.event), context

    def call(self, arguments: tuple[Any, ...]) -> Any:
        """Run the user's code. A coroutine that it returns is awaited: the handler is async, or wraps one."""
        value = self._function(*arguments)
        return self.awaited(value) if type(value) is CoroutineType else value

    def encode(self, attempt: Attempt, value: Any) -> Answer:
        """JSON; after an HTTP request an answer of payload 1.0 or 2.0. Raises BadResult."""
        return Answer(encode_result(value)) if attempt.invoke.http is None else event_answer(value)
