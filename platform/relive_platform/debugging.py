"""Debugging sessions behind the control API: gRPC's threads ask, the server's loop answers."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Final

from relive_base.frames import DebugEnded, DebugText

from relive_platform.api import control_pb2 as pb
from relive_platform.pool.debugging import DebugEvent, DebugSession
from relive_platform.server import ReliveServer

__all__ = ["SessionFeed", "attach", "frozen_workers"]

_CALL_S: Final = 10.0
_ITEMS: Final = 200
_ITEM_CHARS: Final = 100


def frozen_workers(server: ReliveServer) -> list[pb.FrozenWorker]:
    """The failed workers that are kept, newest first."""

    async def look() -> list[pb.FrozenWorker]:
        return [pb.FrozenWorker(**row) for row in server.host.debugging.listing()]

    return server.call(look(), _CALL_S)


def attach(server: ReliveServer, ident: str) -> SessionFeed:
    """Begin a session. Raises NotKept, Refused."""

    async def begin() -> tuple[DebugSession, pb.FrozenWorker]:
        session = server.host.debugging.attach(ident)
        ours = session.kept.record.invocation_id
        rows = server.host.debugging.listing()
        return session, pb.FrozenWorker(**next(row for row in rows if row["invocation_id"] == ours))

    return SessionFeed(server, *server.call(begin(), _CALL_S))


class SessionFeed:
    """Implements `relive_platform.api.backend.DebugFeed`."""

    def __init__(self, server: ReliveServer, session: DebugSession, worker: pb.FrozenWorker) -> None:
        self.worker = worker
        self._server = server
        self._session = session

    def send(self, request: pb.DebugRequest) -> None:
        """What the client typed."""
        part = request.WhichOneof("part")
        session = self._session
        if part == "line":
            line = request.line
            self._later(lambda: session.send_line(line.text, end=line.end))
        elif part == "complete":
            asked = request.complete
            self._later(lambda: session.send_complete(asked.request, asked.text))
        elif part == "interrupt":
            self._later(session.interrupt)

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What the process says next."""
        if self._server.stop_requested.is_set():
            return pb.DebugResponse(ended=pb.DebugEnded(reason="the server stops"))
        event = self._session.next(timeout_s)
        return _response(event) if event is not None else None

    def close(self) -> None:
        """The client has left."""
        self._later(self._session.close)

    def _later(self, work: Callable[[], object]) -> None:
        try:
            self._server.loop.call_soon_threadsafe(work)
        except (RuntimeError, concurrent.futures.CancelledError):
            pass  # the loop has ended, and the session with it


def _response(event: DebugEvent) -> pb.DebugResponse:
    if isinstance(event, DebugText):
        return pb.DebugResponse(text=pb.DebugText(text=event.text, prompt=event.prompt))
    if isinstance(event, DebugEnded):
        return pb.DebugResponse(ended=pb.DebugEnded(reason=event.reason))
    items = [item[:_ITEM_CHARS] for item in event.items[:_ITEMS]]
    start = min(max(event.start, 0), 1 << 20)
    return pb.DebugResponse(offer=pb.DebugOffer(request=event.request & 0xFFFFFFFF, start=start, items=items))
