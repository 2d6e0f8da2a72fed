"""Answers one request after the other with an application of ASGI or WSGI, on the main thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from relive_base.wire.messages import HttpRequest

from relive_runtime.adapters.asgi.lifespan import Lifespan
from relive_runtime.adapters.asgi.scope import ScopeMaker
from relive_runtime.adapters.base import Answer, Attempt
from relive_runtime.adapters.event.payload import trace_headers
from relive_runtime.adapters.loaded import Loaded
from relive_runtime.adapters.one_at_a_time import OneAtATime
from relive_runtime.adapters.outside.inline import goes_back, threads_inline
from relive_runtime.adapters.service.adapter import UnknownInterface, interface_of, made
from relive_runtime.adapters.service.request import request_of
from relive_runtime.adapters.wsgi.environ import wsgi_environ

__all__ = ["RequestAdapter"]

_INTERNAL_ERROR: Final = 500
_ANSWER_BYTES: Final = 4 * 1_048_576


class _Asked:
    """One request on its way through the application."""

    __slots__ = ("body", "headers", "request", "sent", "size", "status", "trace", "type")

    def __init__(self, request: HttpRequest, trace: tuple[str, str]) -> None:
        self.request = request
        self.trace = trace
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.type = ""
        self.body: list[bytes] = []
        self.size = 0
        self.sent = False  # the request's body has been read

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Of its answer."""
        self.status = status
        for name, value in headers:
            if name.lower() == "content-type":
                self.type = value
            elif name.lower() != "content-length":
                self.headers.append((name.lower(), value))

    def part(self, data: bytes) -> None:
        """Of its answer's body; what is over 4 MiB is not kept."""
        self.size += len(data)
        if self.size <= _ANSWER_BYTES:
            self.body.append(data)


class RequestAdapter(OneAtATime):
    """For requests that were recorded outside of Relive: each alone, so that it can be gone back in."""

    def __init__(self, loaded: Loaded) -> None:
        self._application = made(loaded.function)
        interface = loaded.spec.interface or interface_of(self._application)
        if interface not in ("asgi", "wsgi"):
            raise UnknownInterface(
                f"{loaded.spec.handler} takes neither (scope, receive, send) nor (environ, start_response)",
                where=loaded.spec.name,
            )
        self._asynchronous = interface == "asgi"
        self._inline = goes_back(loaded.spec)
        super().__init__(loaded.function)
        self._lifespan: Lifespan | None = None
        if self._asynchronous:
            self._lifespan = Lifespan(self._application)
            self.awaited(self._lifespan.startup())

    def decode(self, attempt: Attempt) -> tuple[Any, ...]:
        """The request."""
        return (_Asked(request_of(attempt.invoke), trace_headers(attempt.invoke)),)

    def call(self, arguments: tuple[Any, ...]) -> Any:
        """Run the application. Raises what it raises."""
        (asked,) = arguments
        if self._asynchronous and self._inline:
            with threads_inline():
                self.awaited(self._ask(asked))
        elif self._asynchronous:
            self.awaited(self._ask(asked))
        else:
            self._ask_wsgi(asked)
        return asked

    def encode(self, attempt: Attempt, value: Any) -> Answer:
        """What it has answered."""
        return Answer(
            b"".join(value.body), value.status or _INTERNAL_ERROR, value.type or "text/plain", value.headers
        )

    # ------------------------------------------------------------ asgi

    async def _ask(self, asked: _Asked) -> None:
        state = self._lifespan.state if self._lifespan is not None else {}
        scope = ScopeMaker(state).http(asked.request, asked.trace)

        async def receive() -> dict[str, Any]:
            if asked.sent:
                await asyncio.sleep(3_600.0)  # the client stays
                return {"type": "http.disconnect"}
            asked.sent = True
            return {"type": "http.request", "body": asked.request.body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                pairs = [
                    (bytes(name).decode("latin-1"), bytes(text).decode("latin-1"))
                    for name, text in message.get("headers", ())
                ]
                asked.head(int(message["status"]), pairs)
            elif message["type"] == "http.response.body":
                asked.part(bytes(message.get("body", b"")))

        await self._application(scope, receive, send)

    # ------------------------------------------------------------ wsgi

    def _ask_wsgi(self, asked: _Asked) -> None:
        def start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
        ) -> Callable[[bytes], object]:
            asked.headers, asked.type = [], ""
            asked.head(int(status.split(" ", 1)[0]), headers)
            return asked.part

        parts = self._application(wsgi_environ(asked.request, asked.trace), start)
        try:
            for data in parts:
                asked.part(data)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
