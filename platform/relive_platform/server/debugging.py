"""Debugging sessions for the control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relive_platform.api import control_pb2 as pb
from relive_platform.api.local_debug import LocalDebugCall, attach_local
from relive_platform.server.gateways.debugging import RemoteDebugCall
from relive_platform.server.server import ReliveServer

__all__ = ["SessionFeed", "attach", "frozen_workers"]

_CALL_S: Final = 10.0


def frozen_workers(server: ReliveServer) -> list[pb.FrozenWorker]:
    """The failed workers that are kept, newest first."""

    async def look() -> list[pb.FrozenWorker]:
        return [pb.FrozenWorker(**row) for row in await server.gateways.frozen()]

    return server.call(look(), _CALL_S)


def attach(server: ReliveServer, ident: str) -> SessionFeed:
    """Begin a session. Raises NotKept, Refused."""

    async def begin() -> LocalDebugCall | RemoteDebugCall:
        found = await server.gateways.debug(ident)
        if found is not None:
            return RemoteDebugCall(found[0], server.loop, found[1])
        return attach_local(server.engine, ident)

    return SessionFeed(server.call(begin(), _CALL_S), server.stop_requested.is_set)


class SessionFeed:
    """A session for one client of the control API: `relive_platform.api.backend.DebugFeed`."""

    def __init__(self, call: LocalDebugCall | RemoteDebugCall, stopping: Callable[[], bool]) -> None:
        self.worker = call.worker
        self._call = call
        self._stopping = stopping

    def send(self, request: pb.DebugRequest) -> None:
        """What the client typed."""
        part = request.WhichOneof("part")
        if part == "line":
            self._call.send_line(request.line.text, end=request.line.end)
        elif part == "complete":
            self._call.send_complete(request.complete.request, request.complete.text)
        elif part == "interrupt":
            self._call.interrupt()

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What the process says next."""
        if self._stopping():
            return pb.DebugResponse(ended=pb.DebugEnded(reason="the server stops"))
        return self._call.next(timeout_s)

    def close(self) -> None:
        """The client has left."""
        self._call.close()
