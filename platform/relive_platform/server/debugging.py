"""Debugging sessions for other threads than the loop's: those of the control API, and of who has workers
of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from relive_base.frames import DebugEnded, DebugText

from relive_platform.api import control_pb2 as pb
from relive_platform.engine.failed.debugging import DebugEvent, DebugSession, DebugSessions

if TYPE_CHECKING:
    from relive_platform.server.server import ReliveServer

__all__ = ["LocalDebugCall", "SessionFeed", "attach", "attach_local", "frozen_workers"]

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

    async def begin() -> LocalDebugCall:
        return attach_local(server.host.debugging, ident)

    return SessionFeed(server.call(begin(), _CALL_S), server.stop_requested.is_set)


def attach_local(sessions: DebugSessions, ident: str) -> LocalDebugCall:
    """Begin a session in a worker of this process; on the event loop. Raises NotKept, Refused."""
    session = sessions.attach(ident)
    ours = session.kept.record.invocation_id
    row = next(row for row in sessions.listing() if row["invocation_id"] == ours)
    return LocalDebugCall(asyncio.get_running_loop(), session, pb.FrozenWorker(**row))


class LocalDebugCall:
    """A session in this process's own host of workers, used as `relive_platform.api.debug_call.DebugCall` is:
    by another thread than the loop's."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session: DebugSession, worker: pb.FrozenWorker
    ) -> None:
        self.worker = worker
        self._loop = loop
        self._session = session

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What the process says next; None after `timeout_s`. `ended` is the last."""
        event = self._session.next(timeout_s)
        return _response(event) if event is not None else None

    def send_line(self, text: str, *, end: bool = False) -> None:
        """The answer to a prompt; `end` is the end of the input."""
        self._later(lambda: self._session.send_line(text, end=end))

    def send_complete(self, request: int, text: str) -> None:
        """Ask for completions of the line up to the cursor."""
        self._later(lambda: self._session.send_complete(request, text))

    def interrupt(self) -> None:
        """Ctrl-C for what runs now."""
        self._later(self._session.interrupt)

    def close(self) -> None:
        """Leave; the worker is frozen again."""
        self._later(self._session.close)

    def _later(self, work: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            pass  # the loop has ended, and the session with it


class SessionFeed:
    """A session for one client of the control API: `relive_platform.api.backend.DebugFeed`."""

    def __init__(self, call: LocalDebugCall, stopping: Callable[[], bool]) -> None:
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


def _response(event: DebugEvent) -> pb.DebugResponse:
    if isinstance(event, DebugText):
        return pb.DebugResponse(text=pb.DebugText(text=event.text, prompt=event.prompt))
    if isinstance(event, DebugEnded):
        return pb.DebugResponse(ended=pb.DebugEnded(reason=event.reason))
    items = [item[:_ITEM_CHARS] for item in event.items[:_ITEMS]]
    start = min(max(event.start, 0), 1 << 20)
    return pb.DebugResponse(offer=pb.DebugOffer(request=event.request & 0xFFFFFFFF, start=start, items=items))
