"""The worker's end of the wire, for reading. The main thread waits for events, any thread for answers to
calls.

Whoever waits first reads for all (the leader); frames for others are put where they find them (the
followers).
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from relive_base.errors import ReliveError
from relive_base.wire.framing import FrameReader
from relive_base.wire.messages import AnyFrame, CallResult, decode_frame

__all__ = ["Channel", "ChannelClosed"]

_READ_BYTES: Final = 65_536  # malloc takes no pages of its own from the kernel for as much
_FOLLOW_S: Final = 0.05
"""How long a follower waits before it looks whether it could lead; a leader wakes followers when it stops."""


class ChannelClosed(ReliveError):
    """The server closed the connection."""


class Channel:
    """Reads frames from a connected stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = FrameReader(self._take)
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._commands: deque[AnyFrame] = deque()
        self._answers: dict[int, CallResult] = {}
        self._expected: set[int] = set()
        self._relayed: set[int] = set()
        self._closed = False
        self.on_commands: Callable[[], object] | None = None
        """Told when commands have come that another thread has read."""

    @property
    def descriptor(self) -> int:
        """What an event loop waits for."""
        return self._socket.fileno()

    def pump(self) -> list[AnyFrame]:
        """What has come of commands, without waiting. Raises ChannelClosed, FrameError."""
        if self._reading.acquire(blocking=False):
            try:
                self._take_what_is_there()
            finally:
                self._reading.release()
                if self._expected:
                    self._wake()
        commands = self._commands
        found = list(commands)
        commands.clear()
        if self._closed and not found:
            raise ChannelClosed
        return found

    def _take_what_is_there(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._closed = True
            return
        self._reader.feed(data)

    def abandon(self) -> None:
        """Close this process's copy of the connection: after the user's code has forked."""
        self._closed = True
        self._socket.close()

    @property
    def pending(self) -> bool:
        """Whether a command has come that `next_command` gives at once."""
        return bool(self._commands)

    def next_command(self) -> AnyFrame:
        """The next frame that is not an answer to a call. Raises ChannelClosed, FrameError."""
        commands = self._commands
        while True:
            if commands:
                return commands.popleft()
            if self._closed:
                raise ChannelClosed
            if self._reading.acquire(blocking=False):
                try:
                    if not commands:
                        self._read(None)
                finally:
                    self._reading.release()
                    if self._expected:
                        self._wake()
            else:
                self._follow(lambda: bool(commands), _FOLLOW_S)

    def relay(self, call_id: int) -> None:
        """Have the answer to a call, before its frame is sent, come as a command: nobody waits for it."""
        self._relayed.add(call_id)

    def relayed(self, call_id: int) -> None:
        """It has come, or is of no interest any more."""
        self._relayed.discard(call_id)

    def expect(self, call_id: int) -> None:
        """Announce a call before its frame is sent, so that a quick answer is not thrown away."""
        self._expected.add(call_id)

    def answer(self, call_id: int, timeout_s: float) -> CallResult | None:
        """The answer to an announced call; None after `timeout_s`. Raises ChannelClosed, FrameError."""
        end = time.monotonic() + timeout_s
        try:
            while True:
                found = self._answers.pop(call_id, None)
                if found is not None:
                    return found
                left = end - time.monotonic()
                if self._closed:
                    raise ChannelClosed
                if left <= 0:
                    return None
                self._lead_or_follow(call_id, left)
        finally:
            self._expected.discard(call_id)
            self._answers.pop(call_id, None)

    def look(self, call_id: int) -> CallResult | None:
        """The answer to an announced call if it has come already; it stays announced. Raises FrameError."""
        if self._reading.acquire(blocking=False):
            try:
                self._read(0.0)
            except ChannelClosed:
                pass  # whoever waits for an answer is told
            finally:
                self._reading.release()
                self._wake()
        return self._answers.get(call_id)

    def forget(self, call_id: int) -> None:
        """No answer to this call is of interest any more."""
        self._expected.discard(call_id)
        self._answers.pop(call_id, None)

    def _lead_or_follow(self, call_id: int, left_s: float) -> None:
        if not self._reading.acquire(blocking=False):
            self._follow(lambda: call_id in self._answers, min(left_s, _FOLLOW_S))
            return
        try:
            if call_id not in self._answers:
                self._read(left_s)
        finally:
            self._reading.release()
            self._wake()
            if self._commands and self.on_commands is not None:
                self.on_commands()

    def _follow(self, come: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            # Looked at under the lock that the leader needs to wake: no wake-up falls into the gap.
            if not come() and not self._closed and self._reading.locked():
                self._changed.wait(timeout_s)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _read(self, timeout_s: float | None) -> None:
        """One read, at most `timeout_s` long, and what it completes put in its place."""
        try:
            if timeout_s is not None and not self._readable(timeout_s):
                return
            data = self._socket.recv(_READ_BYTES)
        except InterruptedError:
            return
        except OSError as error:
            self._closed = True
            raise ChannelClosed from error
        if not data:
            self._closed = True
            raise ChannelClosed
        self._reader.feed(data)

    def _readable(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return bool(poll.poll(timeout_s * 1_000))

    def _take(self, payload: bytes) -> None:
        if not payload:
            return  # the server sees by this that we read
        frame = decode_frame(payload)
        if not isinstance(frame, CallResult) or frame.call_id in self._relayed:
            self._commands.append(frame)
        elif frame.call_id in self._expected:
            self._answers[frame.call_id] = frame
