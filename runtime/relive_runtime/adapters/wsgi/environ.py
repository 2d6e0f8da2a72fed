"""The environ of a request, by PEP 3333."""

from __future__ import annotations

from typing import Any

from relive_base.wire.messages import HttpRequest

from relive_runtime.adapters.http.function import environ_of
from relive_runtime.adapters.service.request import raw_path

__all__ = ["wsgi_environ"]


def wsgi_environ(request: HttpRequest, trace: tuple[str, str], body: Any = None) -> dict[str, Any]:
    """`trace`: the `traceparent` and `tracestate` that the application is to see; `body`: what reads the
    request's body if it has not come yet. Texts are bytes in the guise of Latin-1."""
    environ = environ_of(request, trace)
    environ["SCRIPT_NAME"] = _guise(request.mount.rstrip("/"))
    environ["PATH_INFO"] = _guise(request.path)
    target = raw_path(request)
    if request.query:
        target = f"{target}?{request.query}"
    environ["RAW_URI"] = environ["REQUEST_URI"] = target
    environ["SERVER_PROTOCOL"] = f"HTTP/{request.version}"
    environ["REMOTE_PORT"] = str(request.client_port)
    environ["wsgi.multithread"] = True
    if body is not None:
        environ["wsgi.input"] = body
        for name, value in request.headers:
            if name == "content-length":
                environ["CONTENT_LENGTH"] = value
    return environ


def _guise(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")
