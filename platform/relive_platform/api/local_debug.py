"""Debugging sessions in an engine of this very process, for other threads than its loop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from relive_base.wire.messages import DebugEnded, DebugText

from relive_platform.api import control_pb2 as pb
from relive_platform.engine.engine import Engine
from relive_platform.engine.failed.debugging import DebugEvent, DebugSession

__all__ = ["LocalDebugCall", "attach_local"]

_ITEMS: Final = 200
_ITEM_CHARS: Final = 100


def attach_local(engine: Engine, ident: str) -> LocalDebugCall:
    """Begin a session in a worker of this process; on the event loop. Raises NotKept, Refused."""
    session = engine.debug(ident)
    ours = session.kept.record.invocation_id
    row = next(row for row in engine.frozen() if row["invocation_id"] == ours)
    return LocalDebugCall(asyncio.get_running_loop(), session, pb.FrozenWorker(**row))


class LocalDebugCall:
    """A session in an engine of this process, used as `relive_platform.api.debug_call.DebugCall` is:
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


def _response(event: DebugEvent) -> pb.DebugResponse:
    if isinstance(event, DebugText):
        return pb.DebugResponse(text=pb.DebugText(text=event.text, prompt=event.prompt))
    if isinstance(event, DebugEnded):
        return pb.DebugResponse(ended=pb.DebugEnded(reason=event.reason))
    items = [item[:_ITEM_CHARS] for item in event.items[:_ITEMS]]
    start = min(max(event.start, 0), 1 << 20)
    return pb.DebugResponse(offer=pb.DebugOffer(request=event.request & 0xFFFFFFFF, start=start, items=items))
