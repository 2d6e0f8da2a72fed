"""Debugging sessions in frozen workers: one client each, on the worker's own frame socket."""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from relive_base.errors import Refused
from relive_base.wire.messages import (
    DebugComplete,
    DebugEnded,
    DebugLine,
    DebugOffer,
    DebugStart,
    DebugStop,
    DebugText,
    FrameError,
    encode_frame,
)

from relive_platform.engine.failed.frozen import FrozenWorkers, Kept

__all__ = ["DebugEvent", "DebugLimits", "DebugSession", "DebugSessions"]

DebugEvent = DebugText | DebugOffer | DebugEnded
_event: msgspec.msgpack.Decoder[DebugEvent] = msgspec.msgpack.Decoder(DebugEvent)
_MB: Final = 1_048_576
EVENT_BYTES: Final = _MB
_OVERHEAD_BYTES: Final = 512  # what an event costs beside its text


@dataclass(frozen=True, slots=True)
class DebugLimits:
    """Limits of debugging."""

    sessions: int = 8
    longest_s: float = 3_600.0
    answer_s: float = 15.0  # for the debugger to begin
    leave_s: float = 2.0  # for it to end, interrupted; then the worker is stopped where it is
    line_bytes: int = 65_536
    buffer_bytes: int = _MB  # text for a client that does not read; then the worker waits


class DebugSession:
    """One session. `send_*` and `close` are called on the event loop, `next` by the client's thread."""

    def __init__(
        self,
        number: int,
        kept: Kept,
        limits: DebugLimits,
        loop: asyncio.AbstractEventLoop,
        on_over: Callable[[DebugSession], None],
    ) -> None:
        self.number = number
        self.kept = kept
        self._limits = limits
        self._loop = loop
        self._on_over = on_over
        self._events: queue.SimpleQueue[tuple[int, DebugEvent]] = queue.SimpleQueue()
        self._buffered = 0
        self._prompting = False
        self._answered = False
        self._closing = False
        self._reason = ""
        self._over = False
        self._timers = [
            loop.call_later(limits.answer_s, self._answer_late),
            loop.call_later(limits.longest_s, self._too_long),
        ]

    def start(self) -> None:
        """Wake the worker and have it begin."""
        worker = self.kept.worker
        worker.debug = self._on_payload
        worker.process.thaw()
        worker.handle.send(encode_frame(DebugStart(session=self.number)))

    # ------------------------------------------------------------ from the client

    def next(self, timeout_s: float) -> DebugEvent | None:
        """What the worker has to say next; None after `timeout_s` without anything. Blocks."""
        try:
            size, event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if size:
            self._loop.call_soon_threadsafe(self._taken, size)
        return event

    def _taken(self, size: int) -> None:
        self._buffered -= size
        if not self._over and self._buffered < self._limits.buffer_bytes // 2:
            self.kept.worker.handle.resume_reading()

    def send_line(self, text: str, *, end: bool = False) -> None:
        """The line that was asked for; any other is ignored. `end`: the end of the input."""
        if self._over or not self._prompting:
            return
        if len(text) > self._limits.line_bytes:
            text = ""
            note = f"*** a line has at most {self._limits.line_bytes} characters\n"
            self._put(DebugText(session=self.number, text=note))
        self._prompting = False
        self._write(DebugLine(session=self.number, text=text, end=end))

    def send_complete(self, request: int, text: str) -> None:
        """Ask for completions of a line that is being typed."""
        if not self._over and self._prompting and len(text) <= self._limits.line_bytes:
            self._write(DebugComplete(session=self.number, request=request, text=text))

    def interrupt(self) -> None:
        """Ctrl-C, for what runs now."""
        if not self._over and not self._prompting:
            self.kept.worker.process.interrupt()

    def close(self, reason: str = "") -> None:
        """End the session; the worker gets a moment to leave it, then it is stopped where it is."""
        if self._over or self._closing:
            return
        self._closing = True
        self._reason = reason
        self._buffered = 0
        self.kept.worker.handle.resume_reading()
        self._write(DebugStop(session=self.number))
        if not self._prompting:
            self.kept.worker.process.interrupt()
        self._timers.append(self._loop.call_later(self._limits.leave_s, self.end, reason))

    # ------------------------------------------------------------ from the worker

    def _on_payload(self, payload: bytes) -> None:
        if len(payload) > EVENT_BYTES:
            raise FrameError(f"a debugging frame of {len(payload)} bytes is over {EVENT_BYTES}")
        event = _event.decode(payload)
        if event.session != self.number or self._over:
            return
        self._answered = True
        if isinstance(event, DebugEnded):
            self.end(event.reason or (self._reason if self._closing else ""))
        elif not self._closing:
            if isinstance(event, DebugText):
                self._prompting = event.prompt
            self._put(event, len(payload) + _OVERHEAD_BYTES)

    def _put(self, event: DebugEvent, size: int = 0) -> None:
        self._buffered += size
        self._events.put((size, event))
        if self._buffered > self._limits.buffer_bytes:
            self.kept.worker.handle.pause_reading()

    def gone(self) -> None:
        """The worker's process has ended."""
        exited = self.kept.worker.exited
        how = f" {_ended_by(exited.status)}" if exited is not None else ""
        self.end(f"the process has ended{how}; its frames went with it")

    def end(self, reason: str) -> None:
        """The session is over, whatever the worker does; it is stopped where it is."""
        if self._over:
            return
        self._over = True
        for timer in self._timers:
            timer.cancel()
        worker = self.kept.worker
        worker.debug = None
        worker.handle.resume_reading()
        self._events.put((0, DebugEnded(session=self.number, reason=reason)))
        self._on_over(self)

    def _answer_late(self) -> None:
        if not self._answered:
            self.close("the process does not react: its code holds the interpreter")

    def _too_long(self) -> None:
        self.close(f"the session lasted {self._limits.longest_s:g} s, the limit (RELIVE_DEBUG_S)")

    def _write(self, frame: DebugLine | DebugComplete | DebugStop) -> None:
        self.kept.worker.handle.send(encode_frame(frame))


class DebugSessions:
    """All sessions of this host. Everything runs on the event loop."""

    def __init__(self, frozen: FrozenWorkers, limits: DebugLimits | None = None) -> None:
        self._frozen = frozen
        self._limits = limits or DebugLimits()
        self._numbers = itertools.count(1)
        self._sessions: dict[int, DebugSession] = {}

    def attach(self, ident: str) -> DebugSession:
        """Begin a session in the kept worker of an invocation. Raises NotKept, Refused."""
        kept = self._frozen.find(ident)
        if kept.attached:
            raise Refused(
                f"somebody debugs {kept.record.invocation_id} already",
                hint="wait until they leave; --scene opens its read-only session",
            )
        if len(self._sessions) >= self._limits.sessions:
            raise Refused(
                f"{len(self._sessions)} debugging sessions are open, the limit", hint="close one of them"
            )
        kept.attached = True
        session = DebugSession(
            next(self._numbers), kept, self._limits, asyncio.get_running_loop(), self._over
        )
        self._sessions[session.number] = session
        session.start()
        return session

    def _over(self, session: DebugSession) -> None:
        """Stop the worker where it is; whoever is next goes on from there."""
        self._sessions.pop(session.number, None)
        session.kept.attached = False
        session.kept.worker.process.freeze()

    def gone(self, worker: object) -> None:
        """A worker was reaped."""
        for session in [held for held in self._sessions.values() if held.kept.worker is worker]:
            session.gone()

    def close(self) -> None:
        """The server stops."""
        for session in list(self._sessions.values()):
            session.end("the server stops")

    def listing(self) -> list[dict[str, Any]]:
        """The kept workers, newest first, as `relive debug --list --json` shows them."""
        now = time.monotonic()
        age_s = self._frozen.limits.age_s
        return [
            {
                "invocation_id": kept.record.invocation_id,
                "function": kept.record.function,
                "version": kept.record.version,
                "error": kept.record.error.type if kept.record.error is not None else "",
                "message": kept.record.error.message if kept.record.error is not None else "",
                "pid": kept.worker.pid,
                "age_s": round(now - kept.since_mono, 1),
                "expires_s": round(max(kept.since_mono + age_s - now, 0.0), 1),
                "rss": kept.worker.process.held_bytes(),
                "attached": kept.attached,
                "failed_ns": kept.record.ended_ns,
            }
            for kept in reversed(list(self._frozen))
        ]


def _ended_by(status: int) -> str:
    """As waitpid has it."""
    code = os.waitstatus_to_exitcode(status) if status >= 0 else status
    return f"with status {code}" if code >= 0 else f"by signal {-code}"
