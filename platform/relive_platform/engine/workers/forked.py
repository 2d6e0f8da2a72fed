"""A worker that a zygote forks: its socket and ring, its process, and when both have come to an end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import termios
from pathlib import Path
from typing import Final

import msgspec
from relive_base.wire.framing import FrameError, FrameReader
from relive_base.wire.messages import Exited, Forked, FunctionSpec, LogLine, Logs, encode_frame
from relive_base.wire.ring import RingBroken, RingReader
from relive_runtime.adapters.table import SERVICE
from relive_runtime.isolation.core_files import core_pattern, take_core

from relive_platform.engine.runtime import WorkerEvents
from relive_platform.engine.workers.cgroups.groups import Cgroups, Group
from relive_platform.engine.workers.fault_file import FaultFile
from relive_platform.engine.workers.process import WorkerProcess
from relive_platform.engine.workers.users import UserBlock

__all__ = ["ForkedWorker"]

BURST: Final = 4
"""So many events for a worker that is busy leave in one write, if as many come at once."""
SERVICE_BURST: Final = 8
"""The same for a service, which has many at once: it works on these while the server reads the next ones."""
_NO_BYTES: Final = bytes(4)
_GONE_GRACE_S: Final = 1.0  # the exit status and the end of the stream may come in either order
_BROKEN: Final = (FrameError, RingBroken, msgspec.DecodeError, msgspec.ValidationError)


class ForkedWorker(asyncio.Protocol):
    """One worker as its runtime knows it (a `WorkerHandle`). Everything runs on the event loop."""

    def __init__(
        self, worker_id: int, spec: FunctionSpec, events: WorkerEvents, cgroups: Cgroups | None = None
    ) -> None:
        self.worker_id = worker_id
        self.spec = spec
        self.process = WorkerProcess()
        self.starting: asyncio.Task[None] | None = None
        self.faults: FaultFile | None = None
        self._events = events
        self._loop = asyncio.get_running_loop()  # to ask for it each time costs a system call
        self._users: UserBlock | None = None  # where its user is from
        self._cgroups = cgroups
        self.group: Group | None = None
        self._socket: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._ring: RingReader | None = None
        self._reader = FrameReader(self._on_payload)
        self._ring_reader = FrameReader(events.on_message)
        self._outgoing: list[bytes] = []
        self._flush_due = False
        self._burst = SERVICE_BURST if spec.kind == SERVICE else BURST
        self._eof = False
        self._exited: Exited | None = None
        self._gone = False

    # ------------------------------------------------------------ its beginning

    def become_user(self, uid: int, users: UserBlock) -> None:
        """It gets a user of its own, until its end."""
        self.spec = msgspec.structs.replace(self.spec, uid=uid)
        self._users = users

    async def open(self, sock: socket.socket, ring: RingReader | None = None) -> None:
        """Start reading the socket, and the ring if the worker has one."""
        self._ring = ring
        self._socket = sock
        await self._loop.create_unix_connection(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def on_forked(self, forked: Forked) -> None:
        """The zygote forked it, or could not."""
        if forked.pid:
            self.process.forked(forked.pid)
            self._events.on_started(forked.pid, "")
            self._enter_group(forked.pid)
            return
        self._eof = True
        self._events.on_started(0, forked.error or "the zygote could not fork")
        self.on_exited(Exited(worker_id=self.worker_id, pid=0, status=0))

    def _enter_group(self, pid: int) -> None:
        if self._cgroups is not None:
            spec = self.spec
            own_tmp_mb = spec.tmp_mb if spec.isolation_tier else 0
            self.group = self._cgroups.take_in(self.worker_id, pid, spec.memory_mb + own_tmp_mb)

    def give_up(self) -> None:
        """It need not start any more, if it has not yet."""
        if self.starting is not None:
            self.starting.cancel()

    # ------------------------------------------------------------ in

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except _BROKEN as error:
            self._break(error)

    def _on_payload(self, payload: bytes) -> None:
        """From the socket: a message, or an empty one that says that there is something in the ring."""
        ring = self._ring
        if ring is None:
            self._events.on_message(payload)
            return
        if payload:
            if not ring.elsewhere:
                self.look()  # up to where this message belongs
            ring.elsewhere = max(ring.elsewhere - 1, 0)
            self._events.on_message(payload)
        self.look()

    def look(self) -> None:
        """Take what the worker has put into its ring."""
        ring = self._ring
        if ring is not None and ring.waiting:
            try:
                self._ring_reader.feed(ring.take())
            except _BROKEN as error:
                self._break(error)

    def _look_for_begun(self) -> None:
        """Lines that it never ended, behind all it has handed on."""
        for source, severity, begun in self._ring.begun() if self._ring is not None else ():
            line = LogLine(begun.time_ns, severity, begun.text, begun.trace_id, begun.span_id, source)
            try:
                self._ring_reader.feed(encode_frame(Logs(invocation_id=begun.invocation_id, lines=[line])))
            except _BROKEN as error:
                self._break(error)

    def _break(self, error: Exception) -> None:
        """What a hostile or broken worker writes ends that worker, nothing else."""
        what = f"its code wrote something into the connection to the server that is not a message: {error}"
        self._events.on_broken(what)

    def pause_reading(self) -> None:
        """Leave what it sends in its socket: it waits once that is full."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # ------------------------------------------------------------ out

    def send(self, message: bytes) -> None:
        """Send a message; ignored if the worker has gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(message)

    def send_now(self, message: bytes) -> None:
        """It waits for this one: it begins while the others are read."""
        if self._outgoing:
            self._outgoing.append(message)
            self._flush()
        else:
            self._write(message)

    def send_soon(self, message: bytes) -> None:
        """Requests come in bursts: what this turn of the loop has for the worker leaves in few writes."""
        self._outgoing.append(message)
        if len(self._outgoing) >= self._burst:
            self._flush()
        elif not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush_rest)

    def unread(self) -> bool:
        """By what its socket holds: what the kernel says of the one end is what the other has not taken."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._socket is None:
            return False
        if transport.get_write_buffer_size():
            return True
        held = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, _NO_BYTES)
        return held != _NO_BYTES

    def _flush_rest(self) -> None:
        self._flush_due = False
        if self._outgoing:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self._write(data)

    def _write(self, data: bytes) -> None:
        """Past the loop, which writes only after it has read what has come from all clients."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not transport.get_write_buffer_size() and self._socket is not None:
            try:
                data = data[self._socket.send(data) :]
            except OSError:
                pass  # it is full, or gone: the transport will find out
        if data:
            transport.write(data)

    # ------------------------------------------------------------ its end

    def connection_lost(self, exc: Exception | None) -> None:
        self.look()
        self._eof = True
        self._maybe_gone()

    def on_exited(self, exited: Exited) -> None:
        """The process was reaped."""
        self._exited = exited
        self.process.exited()
        self._events.on_exited(exited)
        self._maybe_gone()

    def on_orphaned(self) -> None:
        """Its zygote has died."""
        self._events.on_orphaned()

    def lose(self) -> None:
        """End it; no exit status will ever come."""
        if self._exited is None:
            self._exited = Exited(worker_id=self.worker_id, pid=self.process.pid, status=-1)
            self.process.reaped = True  # by whoever is its parent now, at any time
            self._events.on_exited(self._exited)
        self.process.kill()
        self._maybe_gone()

    def _maybe_gone(self) -> None:
        if self._gone:
            return
        if self._eof and self._exited is not None:
            self._end()
        elif self._eof or self._exited is not None:
            if self._eof and not self.process.killed and self.process.pid:
                if self.process.is_leaving():
                    self.process.kill()  # what it has started
                else:
                    self._events.on_broken(
                        "its code closed the connection to the server, so it could never answer"
                    )
            self._loop.call_later(_GONE_GRACE_S, self._end)

    def _end(self) -> None:
        if self._gone:
            return
        self.look()
        self._look_for_begun()
        self._gone = True
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        if self._transport is not None:
            self._transport.abort()
        self.process.close()
        self._events.on_gone()
        if self.faults is not None:
            self.faults.close()

    def fault_text(self) -> str:
        """What its fault handler wrote when it died; "" if that was nothing."""
        return self.faults.read() if self.faults is not None else ""

    def kernel_limit_mb(self) -> int:
        """How much its cgroup may hold, if the kernel has ended processes of it for that; else 0."""
        group = self.group
        ended = group is not None and group.kernel_kills() > group.outlived
        return group.memory_mb if group is not None and ended else 0

    def look_at_group(self, *, busy: bool) -> int:
        """How much its cgroup may hold, if the kernel has ended a process that it has started since the last
        look; else 0. Not `busy`: only if the last look has left something open."""
        group = self.group
        if group is None or (not busy and group.settled):
            return 0
        return group.memory_mb if group.look(self.process.is_ending) else 0

    def take_core(self) -> str:
        """The core file that it has left, moved out of its folder; "" if there is none."""
        spec = self.spec
        if not spec.core_mb or self._exited is None or not os.WCOREDUMP(self._exited.status):
            return ""
        pattern, target = core_pattern(), f"{spec.scratch}.core"
        return take_core(pattern, self.process.pid, spec.scratch, target, spec.uid)

    def release(self) -> None:
        """Remove its folder and its cgroup, and give its user back."""
        if self._cgroups is not None and self.group is not None:
            self._cgroups.let_go(self.group)
        # Nothing waits for it: the folder is inside run/, which is emptied at the next start.
        removed = self._loop.run_in_executor(None, _remove, Path(self.spec.scratch))
        users, uid = self._users, self.spec.uid
        if users is not None:
            removed.add_done_callback(lambda _: users.give_back(uid))


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
