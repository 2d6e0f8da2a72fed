"""Calls HTTP functions: of Flask's request if the function has Flask, else of werkzeug's."""

from __future__ import annotations

from typing import Any, Final

from relive_base.wire.messages import HttpRequest, Invoke

from relive_runtime.adapters.base import JSON_TYPE, Answer, Attempt
from relive_runtime.adapters.event.payload import trace_headers
from relive_runtime.adapters.http.flask_context import flask_caller
from relive_runtime.adapters.http.function import Sender, http_caller
from relive_runtime.adapters.loaded import Loaded
from relive_runtime.adapters.one_at_a_time import OneAtATime

__all__ = ["HttpAdapter"]

_HOST: Final = "localhost"


class HttpAdapter(OneAtATime):
    """What `call` gives is the answer already: the user's code makes its parts, and they are sent as they
    come."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded.function)
        sender = Sender(self.awaited, loaded.spec.result_limit_bytes, loaded.streamer, loaded.notice)
        in_flask = flask_caller(loaded.function, sender, loaded.spec.name)
        self._call = in_flask or http_caller(loaded.function, sender)

    def decode(self, attempt: Attempt) -> tuple[Any, ...]:
        """The request, the trace that the function is to see, and whose answer is to be sent."""
        invoke = attempt.invoke
        return invoke.http or _request_of(invoke), trace_headers(invoke), attempt

    def call(self, arguments: tuple[Any, ...]) -> Answer:
        """Run the user's code, and send what it answers part by part."""
        return self._call(*arguments)

    def encode(self, _attempt: Attempt, value: Answer) -> Answer:
        """It is one."""
        return value


def _request_of(invoke: Invoke) -> HttpRequest:
    """An HTTP function that is invoked with an event gets it as the JSON body of a POST."""
    headers = [("content-type", JSON_TYPE), ("content-length", str(len(invoke.event)))]
    return HttpRequest("POST", "/", "", headers, invoke.event, host=_HOST)
