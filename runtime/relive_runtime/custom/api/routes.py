"""The paths of the Runtime API (2018-06-01), and what each means."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from relive_runtime.custom.api.connection import Body, Refusal, Reply
from relive_runtime.custom.api.parsing import Head

__all__ = ["Answer", "RuntimeApi", "RuntimeRoutes"]

_NEXT: Final = "/2018-06-01/runtime/invocation/next"
_INIT_ERROR: Final = "/2018-06-01/runtime/init/error"
_ANSWER: Final = re.compile(r"/2018-06-01/runtime/invocation/([^/]{1,200})/(response|error)")
_EXTENSIONS: Final = ("/2020-01-01/", "/2020-08-15/", "/2022-07-01/")
_MAX_ERROR_BYTES: Final = 1_048_576


class Answer(Body, Protocol):
    """An invocation's answer, as it comes."""


class RuntimeApi(Protocol):
    """What the host does of each request. All may raise Refusal."""

    def next(self, reply: Reply) -> None:
        """The runtime is ready for an event."""

    def answer(self, invocation_id: str, head: Head, reply: Reply) -> Answer:
        """It begins to answer one."""

    def failed(self, invocation_id: str, head: Head, body: bytes, reply: Reply) -> None:
        """It could not."""

    def init_failed(self, head: Head, body: bytes, reply: Reply) -> None:
        """It will never be ready."""


class RuntimeRoutes:
    """Gives requests to the host."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api

    def open(self, head: Head, reply: Reply) -> Body:
        """A request begins. Raises Refusal."""
        path = head.path.partition("?")[0]
        found = _ANSWER.fullmatch(path)
        api = self._api
        if path == _NEXT:
            _only(head, "GET")
            return _NoBody(lambda: api.next(reply))
        if path == _INIT_ERROR:
            _only(head, "POST")
            return _Small(lambda body: api.init_failed(head, body, reply))
        if found is not None:
            _only(head, "POST")
            invocation_id = found[1]
            if found[2] == "response":
                return api.answer(invocation_id, head, reply)
            return _Small(lambda body: api.failed(invocation_id, head, body, reply))
        if path.startswith(_EXTENSIONS):
            raise Refusal(404, "NotSupported", f"extensions are not run here: {path[:200]}")
        raise Refusal(404, "NotFound", f"the Runtime API has no {head.method} {path[:200]}")


def _only(head: Head, method: str) -> None:
    if head.method != method:
        raise Refusal(405, "MethodNotAllowed", f"use {method}")


class _NoBody:
    """Of a GET."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def take(self, data: bytes) -> None:
        """Not looked at."""

    def end(self, trailers: dict[str, str]) -> None:
        self._end()

    def broken(self) -> None:
        """Nobody waits for it."""


class _Small:
    """A body that is kept until it is whole; one that is over the limit is cut there."""

    def __init__(self, end: Callable[[bytes], None]) -> None:
        self._end = end
        self._body = bytearray()

    def take(self, data: bytes) -> None:
        self._body += data[: max(_MAX_ERROR_BYTES - len(self._body), 0)]

    def end(self, trailers: dict[str, str]) -> None:
        self._end(bytes(self._body))

    def broken(self) -> None:
        """It has told nothing."""
