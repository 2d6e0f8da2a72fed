"""The server's end of the receiver's process: starts it, starts it again, and knows how it stands."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from relive_base.wire.framing import FrameError, FrameReader, framed

from relive_platform.signals.receivers.otlp.messages import FlushOtlp, OtlpState

__all__ = ["OtlpChild"]

_BACKOFF_S: Final = (0.5, 2.0, 5.0, 15.0, 60.0)
_CLOSE_S: Final = 8.0
_log = logging.getLogger(__name__)


class OtlpChild(asyncio.Protocol):
    """Everything runs on the event loop."""

    def __init__(self, spawn: Callable[[socket.socket], subprocess.Popen[bytes]]) -> None:
        self.state = OtlpState()
        self.restarts = 0
        self.pid = 0
        self._spawn = spawn
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(self._on_state)
        self._number = 0
        self._changed = asyncio.Event()
        self._closing = False
        self._told: set[str] = set()

    async def start(self) -> None:
        """Run the process. It listens a moment later."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            self._process = await loop.run_in_executor(None, self._spawn, theirs)
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._reader = FrameReader(self._on_state)
        await loop.create_unix_connection(lambda: self, sock=ours)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except (FrameError, msgspec.DecodeError) as error:
            _log.error("the process that receives OTLP sent nonsense: %s", error)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.state = OtlpState(problems=["the process that receives OTLP has ended; it is started again"])
        self._changed.set()
        if self._closing:
            return
        delay_s = _BACKOFF_S[min(self.restarts, len(_BACKOFF_S) - 1)]
        self.restarts += 1
        _log.error("the process that receives OTLP ended; it is started again in %g s", delay_s)
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, lambda: loop.create_task(self._restart()))

    async def _restart(self) -> None:
        if self._closing:
            return
        await self._reap()
        try:
            await self.start()
        except OSError as error:
            _log.error("the process that receives OTLP cannot be started: %s", error)

    def _on_state(self, payload: bytes) -> None:
        self.state = msgspec.msgpack.decode(payload, type=OtlpState)
        for problem in self.state.problems:
            if problem not in self._told:
                self._told.add(problem)
                _log.warning("%s", problem)
        self._changed.set()

    async def opened(self, ways: Iterable[str], timeout_s: float) -> bool:
        """Wait until it listens by each of `ways` ("grpc", "http"), or has a problem, which it tells itself.
        False if it did not get that far in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (self.state.problems or all(getattr(self.state, way) for way in ways)):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def flush(self, timeout_s: float) -> bool:
        """Have what was received so far in the store. False if it did not get there in time."""
        if self._transport is None:
            return False
        self._number += 1
        number = self._number
        self._transport.write(framed(msgspec.msgpack.encode(FlushOtlp(number, timeout_s))))
        try:
            async with asyncio.timeout(timeout_s + 1.0):
                while self.state.flushed < number and self._transport is not None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return self.state.flushed >= number and not self.state.waiting_rows

    async def close(self) -> None:
        """Have it take nothing more; what the store has not got stays in its spool."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()
        await self._reap()

    async def _reap(self) -> None:
        process = self._process
        if process is None:
            return
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, process.wait, _CLOSE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await loop.run_in_executor(None, process.wait)
