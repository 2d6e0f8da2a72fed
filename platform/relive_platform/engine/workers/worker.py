"""The server's end of one worker: frames in and out, its process, its console."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace
from relive_base.records import InvocationRecord
from relive_base.wire.framing import FrameError, FrameReader
from relive_base.wire.messages import (
    Call,
    CallResult,
    Crashed,
    Done,
    Exited,
    Forked,
    FunctionSpec,
    InitFailed,
    Invoke,
    LogLine,
    Logs,
    Ready,
    Result,
    Skipped,
    encode_frame,
    encode_payload,
    frame_kind,
)
from relive_base.wire.ring import RingBroken, RingReader
from relive_runtime.isolation.core_files import core_pattern, take_core
from relive_runtime.worker.faults import FAULTS

from relive_platform.engine.intake import FLOOD_BYTES, Intake
from relive_platform.engine.invocation import InvokeRequest, Running
from relive_platform.engine.streaming import WorkerStream, begin_stream, take_part
from relive_platform.engine.workers.cgroups.groups import Group
from relive_platform.engine.workers.fault_file import FaultFile
from relive_platform.engine.workers.life import BUSY, FINISHING, GONE, STARTING, WorkerLife
from relive_platform.engine.workers.process import WorkerProcess
from relive_platform.evidence.takes import LOGS, SPANS, Kept, Take

__all__ = ["Worker", "WorkerOwner"]

_GONE_GRACE_S: Final = 1.0  # the exit status and the end of the stream may come in either order
TELEMETRY_KEPT_BYTES: Final = (
    2_097_152  # of one invocation, for its scene: of its spans, and of its log lines
)
SPAN_UPDATES_KEPT: Final = 256  # of one invocation; a worker sends half as many
EVIDENCE_BYTES: Final = 16 * 1_048_576  # of one invocation's span updates and the like
PROFILES_KEPT: Final = 4  # of one invocation
CONSOLE_LATE_S: Final = 0.1
CAPTURE_S: Final = 5.0
"""How long a worker that has timed out may take to capture its scene: milliseconds, but on a busy machine."""
BURST: Final = 4
"""So many events for a worker that is busy leave in one write, if as many come at once."""
AHEAD_S: Final = 0.020
"""How long an event that was sent ahead may wait for the one before it; then another worker gets it."""

SLOW_S: Final = 0.020
"""To look at the cgroup takes 20 us: not after each fast invocation. To fill it takes longer."""
LARGE_BYTES: Final = 65_536
_WHY_CHARS: Final = 300
_NO_REQUEST: Final = InvokeRequest(function="")
_log = logging.getLogger(__name__)
_BROKEN: Final = (FrameError, RingBroken, msgspec.DecodeError, msgspec.ValidationError)
_RESULT: Final = b"\xa6result"  # the tag, behind the array's length
_result = msgspec.msgpack.Decoder(Result)
_done = msgspec.msgpack.Decoder(Done)
_ready = msgspec.msgpack.Decoder(Ready)
_init_failed = msgspec.msgpack.Decoder(InitFailed)
_call = msgspec.msgpack.Decoder(Call)
_skipped = msgspec.msgpack.Decoder(Skipped)
_crashed = msgspec.msgpack.Decoder(Crashed)


class WorkerOwner(Protocol):
    """What a worker tells; all of it on the event loop."""

    @property
    def healthy(self) -> tuple[InvokeRequest, InvocationRecord] | None:
        """The newest event that succeeded."""

    def on_ready(self, worker: Worker, ready: Ready) -> None: ...
    def on_init_failed(self, worker: Worker, failed: InitFailed) -> None: ...
    def on_result(self, worker: Worker, running: Running, result: Result) -> None: ...
    def on_done(self, worker: Worker, running: Running, done: Done) -> None: ...
    def on_saved(self, worker: Worker, running: Running) -> None: ...
    def on_skipped(self, worker: Worker, running: Running) -> None: ...
    def on_crashed(self, worker: Worker) -> None: ...
    def take_back(self, worker: Worker) -> None: ...
    def scale(self) -> None: ...
    def on_call(self, worker: Worker, call: Call) -> None: ...
    def on_telemetry(self, worker: Worker, payload: bytes) -> None: ...
    def on_gone(self, worker: Worker) -> None: ...


class Worker(WorkerLife, asyncio.Protocol):
    """One forked process that runs one function version, one invocation at a time."""

    def __init__(
        self, worker_id: int, spec: FunctionSpec, owner: WorkerOwner, takes: Sequence[Take] = (SPANS, LOGS)
    ) -> None:
        """`takes`: the telemetry that it may send while it runs."""
        super().__init__()
        self.worker_id = worker_id
        self.spec = spec
        self.owner = owner
        self.process = WorkerProcess()
        self.intake = Intake(spec.output_limit_bytes)
        self.pid = 0
        self.requested_ns = time.time_ns()
        self.requested_mono = time.monotonic()
        self.idle_since = 0.0
        self.ready: Ready | None = None
        self.invocations = 0
        self._taken_back: deque[str] = deque()  # invocations whose Skipped frame is still to come
        self._outgoing: list[bytes] = []
        self._flush_due = False
        self._loop = asyncio.get_running_loop()  # to ask for it each time costs a system call
        self._socket: socket.socket | None = None
        self._last: Running | None = None  # the one before, and when it was done
        self.ended_mono = 0.0
        self.slow_since = 0.0  # what was sent ahead was seen to be late; a second look takes it back
        self.ended_for = ""  # why the server ended it, if that is something its code has done
        self.crashed: Crashed | None = None  # it has stopped itself at a fatal signal
        self.fork_error = ""
        self.init_failed: InitFailed | None = None
        self.scene = b""  # a Scene frame that came outside an invocation: of a failed init
        self.playback = b""  # payload of a Playback frame: this worker replays
        self.init_telemetry: list[bytes] = []
        self.init_profiles: list[bytes] = []  # told with the worker's first invocation
        self.exited: Exited | None = None
        self.faults: FaultFile | None = None
        self.group: Group | None = None
        self.core = ""  # the core file that it left
        self.rss_bytes = 0
        self.heap: Callable[[bytes], None] | None = None  # who waits for a snapshot of its heap
        self.debug: Callable[[bytes], None] | None = None  # the debugging session that its frames go to
        self._eof = False
        self._stream: WorkerStream | None = None  # of the answer that comes in parts
        self._transport: asyncio.Transport | None = None
        self._ring: RingReader | None = None
        self._reader = FrameReader(self._on_payload)
        self._ring_reader = FrameReader(self._on_frame)
        self._handlers: dict[str, Callable[[bytes], None]] = {
            **{take.tag: partial(self._on_signal, take) for take in takes},
            "result": self._on_result,
            "done": self._on_done,
            "span_update": self._on_span_update,
            "profile": self._on_profile,
            "skipped": self._on_skipped,
            "late": self._on_late,
            "crashed": self._on_crashed,
            "scene": self._on_scene,
            "ready": self._on_ready,
            "init_failed": self._on_init_failed,
            "call": self._on_call,
            "heap_taken": self._on_heap,
            "debug_text": self._on_debug,
            "debug_offer": self._on_debug,
            "debug_ended": self._on_debug,
            "playback": self._on_playback,
            "stream_head": self._on_stream_head,
            "stream_part": self._on_stream_part,
        }

    # ------------------------------------------------------------ life

    async def open(self, sock: socket.socket, ring: RingReader | None = None) -> None:
        """Start reading the frame socket, and the ring if the worker has one."""
        self._ring = ring
        self._socket = sock
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except _BROKEN as error:
            self._break(error)

    def look(self) -> None:
        """Take what the worker has put into its ring."""
        ring = self._ring
        if ring is not None and ring.waiting:
            try:
                self._ring_reader.feed(ring.take())
            except _BROKEN as error:
                self._break(error)

    def _break(self, error: Exception) -> None:
        """What a hostile or broken worker writes ends that worker, nothing else."""
        self.end(f"its code wrote something into the connection to the server that is not a message: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.look()
        self._eof = True
        self._maybe_gone()

    def on_forked(self, forked: Forked) -> None:
        """The zygote forked it, or could not."""
        self.pid = forked.pid
        if forked.pid:
            self.process.forked(forked.pid)
        else:
            self.fork_error = forked.error or "the zygote could not fork"
            self._eof = True
            self.on_exited(Exited(worker_id=self.worker_id, pid=0, status=0))

    def on_exited(self, exited: Exited) -> None:
        """The process was reaped."""
        self.exited = exited
        self.process.exited()
        self._maybe_gone()

    def lose(self) -> None:
        """Its zygote died: no exit status will ever come."""
        if self.exited is None:
            self.exited = Exited(worker_id=self.worker_id, pid=self.pid, status=-1)
            self.process.reaped = True  # by whoever is its parent now, at any time
        self.kill()
        self._maybe_gone()

    def _maybe_gone(self) -> None:
        if self.state == GONE:
            return
        if self._eof and self.exited is not None:
            self._gone()
        elif self._eof or self.exited is not None:
            if self._eof and not self.process.killed and self.pid:
                if self.process.is_leaving():
                    self.kill()  # what it has started
                else:
                    self.end("its code closed the connection to the server, so it could never answer")
            asyncio.get_running_loop().call_later(_GONE_GRACE_S, self._gone)

    def _gone(self) -> None:
        if self.state == GONE:
            return
        self.look()
        self.become(GONE)
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        if self._transport is not None:
            self._transport.abort()
        self.process.close()
        if self.spec.core_mb and self.exited is not None and os.WCOREDUMP(self.exited.status):
            scratch = self.spec.scratch
            self.core = take_core(core_pattern(), self.pid, scratch, f"{scratch}.core", self.spec.uid)
        self.owner.on_gone(self)
        if self.faults is not None:
            self.faults.close()

    def end(self, why: str) -> None:
        """End it for what its code has done, which its failure says."""
        if not self.process.killed:
            self.ended_for = why[:_WHY_CHARS]
        self.kill()

    def kill(self) -> None:
        """End it now with all it has started, also outside its group; on_gone follows when it was reaped."""
        self.process.kill()

    def pause_reading(self) -> None:
        """Leave what it sends in its socket: it waits once that is full."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def fault_text(self) -> str:
        """What its fault handler wrote when it died; "" if that was nothing."""
        return self.faults.read() if self.faults is not None else ""

    def is_ended_by_kernel(self) -> bool:
        """Whether its cgroup had no memory left, and it died as the kernel ends processes then."""
        if self.exited is None or self.exited.status != signal.SIGKILL or self.ended_for or self.condemned:
            return False
        return self.group is not None and self.group.kernel_kills() > self.group.outlived

    def look_at_group(self) -> None:
        """Tell what runs if the kernel has ended a process that it has started."""
        group = self.group
        if group is None or (self.current is None and group.settled):
            return
        if group.look(self.process.is_ending) and self.current is not None:
            limit = f"all of them may hold {group.memory_mb} MB"
            text = f"the kernel ended a process of this worker (SIGKILL): {limit}"
            self.console([LogLine(time.time_ns(), "WARN", text, source="console")])

    # ------------------------------------------------------------ out

    def run(self, running: Running, profile: str) -> None:
        """Send the event. The caller has taken the worker out of the idle list, or sends it ahead."""
        request, record = running.request, running.record
        self.invocations += 1
        self.intake.begin(record.invocation_id)
        now = time.monotonic()
        running.sent_mono = now
        if self.take(running):
            running.start_before_mono = 0.0
            running.deadline_mono = now + running.timeout_s
        else:
            running.start_before_mono = now + AHEAD_S
            running.deadline_mono = now + running.timeout_s + AHEAD_S
        frame = Invoke(
            invocation_id=record.invocation_id,
            trace_id=record.trace_id,
            span_id=record.span_id,
            deadline_monotonic_ns=int(running.deadline_mono * 1e9),
            event=request.event,
            http=request.http,
            attempt=request.attempt,
            trigger=request.trigger,
            trace_state=request.trace_state,
            sampled=request.sampled,
            profile=profile,
            depth=request.depth,
            start_before_monotonic_ns=int(running.start_before_mono * 1e9),
            stream=request.stream,
            baggage=request.baggage,
        )
        outgoing = self._outgoing
        outgoing.append(encode_frame(frame))
        if self.current is running or len(outgoing) >= BURST:
            self._flush()  # it waits for this one, or will soon: it begins while the others are read
        elif not self._flush_due:
            # Requests come in bursts: what this turn of the loop has for the worker leaves in few writes.
            self._flush_due = True
            self._loop.call_soon(self._flush_rest)

    def _flush_rest(self) -> None:
        self._flush_due = False
        self._flush()

    def _flush(self) -> None:
        outgoing = self._outgoing
        if outgoing:
            self._send_now(b"".join(outgoing))
            outgoing.clear()

    def _send_now(self, data: bytes) -> None:
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

    def take_back(self) -> list[Running]:
        """Give up what was sent ahead; the caller knows that none of it has begun."""
        taken = list(self.ahead)
        self.ahead.clear()
        self._taken_back.extend(running.record.invocation_id for running in taken)
        return taken

    def answer(self, result: CallResult) -> None:
        """Give a function-to-function call its result."""
        self.write(encode_frame(result))

    def write(self, data: bytes) -> None:
        """Bytes for the worker's frame socket; ignored if it is already gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    # ------------------------------------------------------------ in

    def _on_payload(self, payload: bytes) -> None:
        """From the socket: a frame, or an empty one that says that there is something in the ring."""
        ring = self._ring
        if ring is None:
            self._on_frame(payload)
            return
        if payload:
            if not ring.elsewhere:
                self.look()  # up to where this frame belongs
            ring.elsewhere = max(ring.elsewhere - 1, 0)
            self._on_frame(payload)
        self.look()

    def _on_frame(self, payload: bytes) -> None:
        if payload[1:8] == _RESULT:  # nearly all
            self._on_result(payload)
            return
        handler = self._handlers.get(frame_kind(payload))
        if handler is not None:
            handler(payload)

    def _on_result(self, payload: bytes) -> None:
        running = self.current
        result = _result.decode(payload)
        if running is None or running.result is not None or self.condemned:
            return
        if result.invocation_id != running.record.invocation_id:
            return
        running.result = result
        self.become(FINISHING)
        self.owner.on_result(self, running, result)
        if result.done is not None:
            self._end(running, result, result.done)

    def _on_done(self, payload: bytes) -> None:
        running = self.current
        if running is None or running.result is None or self.condemned:
            return
        self._end(running, running.result, _done.decode(payload))

    def _end(self, running: Running, result: Result, done: Done) -> None:
        """The invocation is over; on with what was sent ahead."""
        now = time.monotonic()
        if now - running.sent_mono > SLOW_S:
            self.look_at_group()
        self.drop()
        self._stream = None
        self._last, self.ended_mono = running, now
        self.rss_bytes = done.rss_bytes
        if self.ahead and done.reusable and result.reusable:
            following = self.go_on()
            if following is not None:
                following.sent_mono = now
                self.become(BUSY)
        self.owner.on_done(self, running, done)
        record = running.record
        if record.event_bytes + record.result_bytes > LARGE_BYTES and self._last is running:
            self._last = replace(running, request=_NO_REQUEST, result=None)  # what is large leaves memory

    def _on_skipped(self, payload: bytes) -> None:
        """An event that was sent ahead came too late: it is the current one by now, or was taken back."""
        invocation_id = _skipped.decode(payload).invocation_id
        if self._taken_back and self._taken_back[0] == invocation_id:
            self._taken_back.popleft()  # this very worker may have got it anew: that sending still counts
            return
        running = self.current
        if running is None or running.result is not None or self.condemned:
            return
        if invocation_id != running.record.invocation_id:
            return
        following = self.go_on()
        if following is not None:
            following.sent_mono = time.monotonic()
        self.owner.on_skipped(self, running)

    def _on_signal(self, take: Take, payload: bytes) -> None:
        if self.intake.takes(payload, take):
            self._on_telemetry(payload, take.kept)
        else:
            self._refused()

    def _refused(self) -> None:
        """It has told of an invocation that is not its own, or more than it may."""
        if self.current is not None:
            self.current.record.dropped += 1
        if self.intake.flooded and not self.process.killed:
            _log.error("worker %d of %s floods its channel: it is ended", self.pid, self.spec.name)
            much = f"{FLOOD_BYTES >> 20} MB beyond its limits"
            self.end(f"its code wrote over {much} into the connection to the server")

    def _on_telemetry(self, payload: bytes, kept: Kept) -> None:
        running = self.current
        if kept is Kept.NOTHING:
            pass
        elif running is None:
            if self.state == STARTING and len(self.init_telemetry) < 1_000:
                self.init_telemetry.append(payload)
        elif kept is Kept.FIRST:
            running.telemetry_bytes += len(payload)
            if running.telemetry_bytes <= TELEMETRY_KEPT_BYTES:
                running.telemetry.append(payload)
        else:
            running.keep_log(payload, TELEMETRY_KEPT_BYTES)
        self.owner.on_telemetry(self, payload)

    def _on_span_update(self, payload: bytes) -> None:
        """What the function's code put on the invoke span: told with the record."""
        running = self.current
        if running is not None and len(running.span_updates) < SPAN_UPDATES_KEPT:
            running.telemetry_bytes += len(payload)
            if running.telemetry_bytes <= EVIDENCE_BYTES:
                running.span_updates.append(payload)

    def with_init_profiles(self, profiles: list[bytes]) -> list[bytes]:
        """Those of an attempt, the first with what was sampled while the module was loaded."""
        if not self.init_profiles:
            return profiles
        profiles = profiles + self.init_profiles
        self.init_profiles = []
        return profiles

    def writing(self) -> Running | None:
        """Whose text comes through the console pipe, which may be a moment behind the frames."""
        if self.current is None and time.monotonic() - self.ended_mono < CONSOLE_LATE_S:
            return self._last
        return self.current

    def console(self, lines: list[LogLine]) -> None:
        """Text that its process wrote past Python, from the console pipe: it goes to the attempt that wrote
        it, within its function's limit."""
        running = self.writing()
        invocation_id = ""
        if running is not None:
            record = running.record
            invocation_id = record.invocation_id
            running.console_bytes += sum(len(line.body) for line in lines)
            if running.console_bytes > self.spec.output_limit_bytes:
                record.dropped += len(lines)
                return
            for line in lines:
                line.trace_id, line.span_id = record.trace_id, record.span_id
        self._on_telemetry(encode_payload(Logs(invocation_id=invocation_id, lines=lines)), LOGS.kept)

    def _on_profile(self, payload: bytes) -> None:
        kept = self.init_profiles if self.current is None else self.current.profiles
        if len(kept) < PROFILES_KEPT and len(payload) <= EVIDENCE_BYTES:
            kept.append(payload)

    def _on_scene(self, payload: bytes) -> None:
        if self.current is not None:
            self.current.scene = payload
        else:
            self.scene = payload

    def _on_stream_head(self, payload: bytes) -> None:
        running = self.current
        if running is not None and running.result is None and not self.condemned:
            self._stream = begin_stream(running, payload, self.answer)

    def _on_stream_part(self, payload: bytes) -> None:
        running = self.current
        if running is not None and running.result is None and not self.condemned and self._stream:
            take_part(running, payload, self._stream)

    def _on_late(self, payload: bytes) -> None:
        """Its timeout has struck: it gets time to say where, once."""
        running = self.current
        if running is not None and not running.capture_until_mono:
            running.capture_until_mono = time.monotonic() + CAPTURE_S

    def _on_crashed(self, payload: bytes) -> None:
        crashed = _crashed.decode(payload)
        if crashed.signal in FAULTS and self.crashed is None and self.state != GONE:
            self.crashed = crashed
            self.owner.on_crashed(self)

    def _on_playback(self, payload: bytes) -> None:
        self.playback = payload

    def _on_ready(self, payload: bytes) -> None:
        if self.state != STARTING or self.ready is not None:
            return  # its code has written that
        self.ready = _ready.decode(payload)
        self.process.own_tmp = self.ready.own_tmp
        self.owner.on_ready(self, self.ready)

    def _on_init_failed(self, payload: bytes) -> None:
        if self.state != STARTING or self.ready is not None:
            return
        self.init_failed = _init_failed.decode(payload)
        self.owner.on_init_failed(self, self.init_failed)

    def _on_heap(self, payload: bytes) -> None:
        if self.heap is not None:
            self.heap(payload)

    def _on_debug(self, payload: bytes) -> None:
        if self.debug is not None:
            self.debug(payload)

    def _on_call(self, payload: bytes) -> None:
        self.owner.on_call(self, _call.decode(payload))
