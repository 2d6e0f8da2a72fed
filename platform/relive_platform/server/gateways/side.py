"""One gateway beside the server, as the server sees it: its process, started again when it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from relive_platform.server.gateways.channel import Asked, Channel, Gone, Told
from relive_platform.server.gateways.descriptors import Descriptors
from relive_platform.server.gateways.held import HeldSockets
from relive_platform.server.gateways.messages import Grant, Load, Start
from relive_platform.server.gateways.process import spawn
from relive_platform.triggers.http.connections.refusals import refusal

__all__ = ["SideGateway"]

_BACKOFF_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0)
_STABLE_S: Final = 30.0
_END_S: Final = 10.0
_START_S: Final = 60.0
"""A process may take so long to start, whatever its silence is limited to."""
_HELD: Final = 65_536
"""Connections of it of which the server keeps a copy; further ones end with its process."""
_SILENT_S: Final = 1.0
"""It tells how it stands ten times a second: one that is silent for so long gets nothing new."""
_load: Final = msgspec.msgpack.Decoder(Load)
_log = logging.getLogger(__name__)


class SideGateway:
    """Everything runs on the event loop."""

    def __init__(
        self,
        index: int,
        start: Callable[[int, int], Start],
        log: Path,
        asked: Mapping[str, Asked],
        told: Mapping[str, Callable[[bytes], object]],
        taken: Callable[[SideGateway, str, int, bytes], object],
        changed: Callable[[SideGateway], object],
        connections: int = 1_000,
    ) -> None:
        """`start`: what its process gets, by number and run; `asked`, `told`: who takes what it says;
        `taken`: who takes a socket of it; `changed`: it is ready (`ready`), or has ended. `connections`: that
        it may have."""
        self.index = index
        self.number = index + 2  # the server is the first
        self.run = 0
        self.pid = 0
        self.ready = False
        self.restarts = 0
        self.ended = 0  # invocations of its processes before this one
        self.silent_s = 0.0  # since it has told how it stands, as far as the server has looked
        self.load: Load | None = None
        self.channel = Channel({}, {}, lambda: None)
        self._descriptors: Descriptors | None = None
        self._held: HeldSockets | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._start = start
        self._log = log
        self._asked = asked
        self._told: dict[str, Told] = {**told, "ready": self._is_ready, "load": self._take_load}
        self._taken = taken
        self._changed = changed
        self._connections = connections
        self._closing = False
        self._begun_at = 0.0
        self._given_up = 0  # the run that was ended because it did not do what it was told
        self._why = ""
        self._quick = 0  # ends soon after the start, in a row
        self.given = 0  # connections since its last load

    async def begin(self) -> None:
        """Start its process. Raises OSError."""
        loop = asyncio.get_running_loop()
        self.run = time.time_ns()
        self.silent_s = 0.0
        self._begun_at = time.monotonic()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        our_sockets, their_sockets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        start = self._start(self.number, self.run)
        try:
            held = self._held = HeldSockets(min(self._connections, _HELD))
            self._process = await loop.run_in_executor(
                None, spawn, start, theirs, their_sockets, held.memory, self._log
            )
        except OSError:
            if self._held is not None:
                self._held.close()
            ours.close()
            our_sockets.close()
            raise
        finally:
            theirs.close()
            their_sockets.close()
        self.pid = self._process.pid
        self._descriptors = Descriptors(our_sockets, self._take_socket)
        self.channel = Channel(self._asked, self._told, self._lost)
        await loop.create_unix_connection(lambda: self.channel, sock=ours)

    def _take_socket(self, kind: str, descriptor: int, data: bytes) -> None:
        if kind != "c" and not self.pid:
            os.close(descriptor)  # its collector's, which has ended: the journal has what was not handed on
        else:
            self._taken(self, kind, descriptor, data)

    def _is_ready(self, _body: bytes) -> None:
        self.ready = True
        self.silent_s = 0.0
        self._changed(self)

    def _take_load(self, body: bytes) -> None:
        self.load = _load.decode(body)
        self.given = 0
        self.silent_s = 0.0

    @property
    def answers(self) -> bool:
        """Whether it is ready, and has told so just now."""
        return self.ready and self.silent_s < _SILENT_S

    @property
    def is_asked(self) -> bool:
        """Whether it may answer, be it late: it is ready, and was not given up. It may be busy only."""
        return self.ready and self._given_up != self.run

    def look(self, passed_s: float, limit_s: float) -> None:
        """Now and then. `passed_s`: in which the server has heard whatever there was; so what the server
        itself was busy for is no silence of this one. After `limit_s` of that its process is ended, if it
        hangs or was stopped."""
        if self._held is not None:
            for descriptor, data in self._held.release():
                self._taken(self, "c", descriptor, data)
        if not self.pid or self._given_up == self.run:
            return
        self.silent_s += passed_s
        if self.silent_s > (limit_s if self.ready else max(limit_s, _START_S)):
            _log.error(
                "gateway %d (pid %d) has said nothing for %.1f s: it hangs or was stopped, and is ended; what"
                " it ran is recorded as lost (RELIVE_GATEWAY_SILENCE_S: %g)",
                *(self.number, self.pid, self.silent_s, limit_s),
            )
            self.give_up("hung")

    def give_up(self, why: str) -> None:
        """End its process, which does not do what it is told. Who waits for an answer of it hears `why`."""
        if self._process is not None:
            self._given_up, self._why = self.run, why
            self._process.kill()

    def _lost(self) -> None:
        """Its process has ended."""
        if self.load is not None:
            self.ended += self.load.ended
        self.ready, self.load, self.pid = False, None, 0
        if not self._closing:
            asyncio.get_running_loop().create_task(self._again())
        elif self._descriptors is not None:
            self._descriptors.close()

    async def _again(self) -> None:
        """Have its end told, and start it anew."""
        await self._reap(_END_S)
        if self._descriptors is not None:
            self._descriptors.finish()  # connections on their way back
        self._go_on()
        self._changed(self)
        stable = time.monotonic() - self._begun_at > _STABLE_S
        self._quick = 0 if stable else min(self._quick + 1, len(_BACKOFF_S) - 1)
        delay = _BACKOFF_S[self._quick]
        self.restarts += 1
        _log.error("gateway %d ended; it is started again in %g s", self.number, delay)
        await asyncio.sleep(delay)
        if self._closing:
            return
        try:
            await self.begin()
        except OSError as error:
            _log.error("gateway %d cannot be started: %s", self.number, error)
            asyncio.get_running_loop().create_task(self._again())

    def _go_on(self) -> None:
        """With the connections of its process, which has ended."""
        held, self._held = self._held, None
        if held is None:
            return
        rest, answered = held.end(_answer(self._why) if self._given_up == self.run else b"")
        for descriptor, data in rest:
            self._taken(self, "c", descriptor, data)
        if rest or answered:
            _log.warning(
                "gateway %d had connections: the server goes on with %d; %d requests were answered with 502",
                *(self.number, len(rest), answered),
            )

    async def _reap(self, timeout_s: float) -> None:
        process = self._process
        if process is None:
            return
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, process.wait, timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            await loop.run_in_executor(None, process.wait)

    # ------------------------------------------------------------ what it is told

    def grant(self, grants: list[Grant]) -> None:
        """It may have so many workers of these."""
        self.channel.tell("grant", grants)

    def give_back(self, connections: int) -> None:
        """It has so many busy connections too many."""
        self.channel.tell("yield", connections)

    @property
    def busy(self) -> int:
        """Busy connections that it has, as far as is known."""
        return self.given + (self.load.active if self.load is not None else 0)

    def give(self, descriptor: int, data: bytes) -> None:
        """A connection is its own from now on. Takes the descriptor over."""
        if self._descriptors is not None:
            self.given += 1
            with_slot = self._held.hold(descriptor, data) if self._held is not None else data
            if not self._descriptors.send("c", descriptor, with_slot) and self._held is not None:
                self._held.lost(with_slot)

    async def drain(self, timeout_s: float) -> None:
        """Take no new requests, and finish those that run."""
        self._closing = True
        if self.is_asked:
            try:
                await self.channel.ask("drain", timeout_s, timeout_s + _END_S)
            except Gone as error:
                _log.warning("gateway %d: %s", self.number, error.message)
                self.give_up("hung")

    async def close(self) -> None:
        """End it."""
        self._closing = True
        if self.is_asked:
            try:
                await self.channel.ask("close", None, 3 * _END_S if self.answers else _END_S)
            except Gone as error:
                _log.warning("gateway %d: %s", self.number, error.message)
        elif self._process is not None:
            self._process.kill()
        await self._reap(_END_S)
        if self._held is not None:
            self._held.close()


def _answer(why: str) -> bytes:
    """To a request of a process that was given up."""
    message = f"the gateway that had this request {why}, and was ended; what it ran is recorded as lost"
    status, head, body, _ = refusal(502, "GatewayLost", message)
    return b"".join((STATUS_LINE[status], head, b"connection: close\r\n\r\n", body))
