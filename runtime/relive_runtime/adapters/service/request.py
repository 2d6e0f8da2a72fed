"""A request as services see it."""

from __future__ import annotations

from relive_base.wire.messages import HttpRequest, Invoke

from relive_runtime.adapters.base import JSON_TYPE
from relive_runtime.worker.start.namesakes import originals

__all__ = ["raw_path", "request_of"]

_HOST = "localhost"


def request_of(invoke: Invoke) -> HttpRequest:
    """The request; an event that came otherwise is the JSON body of a POST."""
    if invoke.http is not None:
        return invoke.http
    headers = [("host", _HOST), ("content-type", JSON_TYPE), ("content-length", str(len(invoke.event)))]
    return HttpRequest("POST", "/", "", headers, invoke.event, host=_HOST)


def raw_path(request: HttpRequest) -> str:
    """Its path as the client wrote it."""
    if request.target:
        return request.target
    with originals():
        from urllib.parse import quote  # the zygote has imported it

    return quote(request.mount.rstrip("/") + request.path, safe="/:@!$&'()*+,;=~-._%")
