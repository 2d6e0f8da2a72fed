"""What went well last: what a failed event is compared with."""

from __future__ import annotations

from typing import Final

from relive_base.likeness import path_likeness
from relive_base.records import InvocationRecord

from relive_platform.engine.invocation import InvokeRequest

__all__ = ["HEALTHY_BYTES", "MAX_SUCCESSES", "Success", "Successes"]

HEALTHY_BYTES: Final = 65_536
"""An event larger than that is not kept."""
MAX_SUCCESSES: Final = 64
"""Kept for one function version: the newest one of each method and path, or of each kind of trigger."""
CLIENT_LEFT: Final = "relive.client_disconnected"
"""Of a request: an attribute."""
_SMALL_BYTES: Final = 4_096
"""The body of one that is not the newest: 64 of them are 256 KB, and their heads at worst 4 MB."""

Success = tuple[InvokeRequest, InvocationRecord]
_Key = tuple[str, str, str]


class Successes:
    """The newest successes of one function version; a service has one for each path of its own."""

    def __init__(self) -> None:
        self._newest: Success | None = None
        self._kept: dict[_Key, Success] = {}  # the newest is last

    def __bool__(self) -> bool:
        return self._newest is not None

    def add(self, request: InvokeRequest, record: InvocationRecord) -> None:
        """It went well. Nothing is kept of a large event, or of one that its client did not wait for."""
        if record.event_bytes > HEALTHY_BYTES or CLIENT_LEFT in record.attributes:
            return
        self._newest = request, record
        if record.event_bytes > _SMALL_BYTES:
            return
        key = _key(request)
        kept = self._kept
        kept.pop(key, None)
        kept[key] = self._newest
        if len(kept) > MAX_SUCCESSES:
            del kept[next(iter(kept))]

    def like(self, request: InvokeRequest, *, of_its_path: bool) -> Success | None:
        """The newest success of the same method and path, or of the path that is most like it, or else the
        newest of all; with `of_its_path` (an application with paths of its own) not that: its requests have
        nothing in common."""
        newest = self._newest
        key = _key(request)
        if newest is None or _key(newest[0]) == key:
            return newest
        if key in self._kept:
            return self._kept[key]
        if request.http is None:  # of a service: a method of gRPC
            return None if of_its_path else newest
        near = max(self._kept, key=lambda kept: _likeness(kept, key), default=key)  # of equals the oldest
        best = _likeness(near, key)
        if best:
            return next(one for kept, one in reversed(self._kept.items()) if _likeness(kept, key) == best)
        return None if of_its_path else newest


def _key(request: InvokeRequest) -> _Key:
    http = request.http
    if http is not None:
        return "http", http.method, http.path
    told = request.attributes
    return request.trigger, told.get("rpc.service", ""), told.get("rpc.method", "")


def _likeness(one: _Key, other: _Key) -> int:
    """0 for other methods and triggers."""
    return path_likeness(one[2], other[2]) if one[:2] == other[:2] and one[0] == "http" else 0
