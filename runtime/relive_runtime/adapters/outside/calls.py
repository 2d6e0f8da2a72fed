"""Calls a function with the arguments that it was called with."""

from __future__ import annotations

import json
from types import CoroutineType
from typing import Any

from relive_runtime.adapters.base import Answer, Attempt
from relive_runtime.adapters.event.decoding import BadEvent, decode_event
from relive_runtime.adapters.loaded import Loaded
from relive_runtime.adapters.one_at_a_time import OneAtATime
from relive_runtime.adapters.results import BadResult, encode_result

__all__ = ["CallAdapter"]


class CallAdapter(OneAtATime):
    """The event is `{"args": [...], "kwargs": {...}}`. A result that is no JSON is no failure: nobody has
    asked for JSON."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded.function)
        self._function = loaded.function

    def decode(self, attempt: Attempt) -> tuple[Any, ...]:
        """Positional and keyword arguments. Raises BadEvent."""
        event = decode_event(attempt.invoke.event)
        if isinstance(event, dict):
            args, kwargs = event.get("args", []), event.get("kwargs", {})
            if isinstance(args, list) and isinstance(kwargs, dict):
                return args, kwargs
        raise BadEvent('the event has no arguments: it is {"args": [...], "kwargs": {...}}')

    def call(self, arguments: tuple[Any, ...]) -> Any:
        """Run the user's code. A coroutine that it returns is awaited."""
        args, kwargs = arguments
        value = self._function(*args, **kwargs)
        return self.awaited(value) if type(value) is CoroutineType else value

    def encode(self, attempt: Attempt, value: Any) -> Answer:
        """JSON, or the name of the type in it."""
        try:
            return Answer(encode_result(value))
        except BadResult:
            return Answer(json.dumps(f"<{type(value).__name__}>").encode())
