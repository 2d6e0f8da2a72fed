"""The host of a program: a worker from its first line to its last."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from typing import Final, NoReturn

from relive_base.errors import ReliveError
from relive_base.parts import Why, partial
from relive_base.wire.framing import FrameError, FrameReader
from relive_base.wire.messages import (
    CallResult,
    FunctionSpec,
    InitFailed,
    Invoke,
    Ready,
    Scene,
    Stop,
    decode_frame,
)
from relive_base.wire.ring import RingWriter
from relive_base.wire.sink import FrameSink
from relive_capture.record.told import Told, capture_told, read_payload

from relive_runtime.custom.api.connection import Connection, Reply
from relive_runtime.custom.api.parsing import Head
from relive_runtime.custom.api.peers import Peers
from relive_runtime.custom.api.routes import RuntimeRoutes
from relive_runtime.custom.attempt import Attempt, ResponseBody
from relive_runtime.custom.endings import Endings
from relive_runtime.custom.exchange import Exchange
from relive_runtime.custom.output import LineCutter, LogWriter, RecordCutter, Stream
from relive_runtime.custom.program import Program, describe_end, kill_all
from relive_runtime.custom.replaying import cut_for_replay
from relive_runtime.custom.usage import UsageMeter
from relive_runtime.custom.variables import variables_of
from relive_runtime.isolation import Reached, apply
from relive_runtime.isolation.spaces import TMP
from relive_runtime.worker.limits.memory_signal import MEMORY_SIGNAL
from relive_runtime.worker.start.lambda_variables import log_stream
from relive_runtime.worker.start.process import clean_environment, close_others, take_over
from relive_runtime.zygote.options import WorkerStart

__all__ = ["run"]

_READ_BYTES: Final = 65_536
_CONNECTIONS: Final = 64
_LOOPBACK: Final = "127.0.0.1"


def run(start: WorkerStart) -> NoReturn:
    """Be the host of a program until the server says Stop or is gone. Does not return."""
    spec = start.spec
    connection = take_over(start)
    ring = RingWriter(start.ring_fd) if start.ring_fd >= 0 else None
    cut_off = cut_for_replay(spec)
    reached = apply(spec, start.isolation)
    stream = log_stream(spec, start.pid)
    clean_environment(spec, TMP if reached.own_tmp else spec.scratch, stream)
    close_others(connection.fileno())
    try:
        asyncio.run(_Host(start, connection, FrameSink(connection, ring), reached, cut_off).run())
    finally:
        kill_all()
        os._exit(0)


class _Host:
    """What is made once per process. One thread, one event loop."""

    def __init__(
        self, start: WorkerStart, connection: socket.socket, sink: FrameSink, reached: Reached, cut_off: str
    ) -> None:
        """`cut_off`: why this worker, which replays, must not run; "" as a rule."""
        self._start = start
        self._spec: FunctionSpec = start.spec
        self._connection = connection
        self._sink = sink
        self._reached = reached
        self._cut_off = cut_off
        self._reader = FrameReader(self._on_payload)
        self._log = LogWriter(sink, self._spec.output_limit_bytes)
        self._meter = UsageMeter(reached.own_tmp)
        self._exchange = Exchange(self._spec, sink, self._log, self._meter, self)
        self._endings = Endings(self._spec, self._log)
        self._connections: set[Connection] = set()
        self._environment: dict[str, str] = {}
        self._program: Program | None = None
        self._streams: list[Stream] = []
        self._init_limit: asyncio.TimerHandle | None = None
        self._told_ready = False  # to the server, once in a worker's life
        self._init_over = False  # it has failed, and is told
        self._ending: asyncio.Task[None] | None = None
        self._left = asyncio.Event()

    # ------------------------------------------------------------ its life

    async def run(self) -> None:
        """Until Stop."""
        loop = asyncio.get_running_loop()
        os.set_blocking(self._connection.fileno(), True)
        loop.add_reader(self._connection.fileno(), self._read)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_signal_handler(MEMORY_SIGNAL, self._memory_over)
        listener = socket.create_server((_LOOPBACK, 0), backlog=_CONNECTIONS)
        peers = Peers(listener)
        routes = RuntimeRoutes(self)
        await loop.create_server(
            lambda: Connection(routes, peers.belongs, self._connections, _CONNECTIONS), sock=listener
        )
        port = listener.getsockname()[1]
        self._environment = variables_of(self._start, f"{_LOOPBACK}:{port}")
        if self._cut_off:
            self._could_not_start("init", [Told("Runtime.NotCutOff", self._cut_off)], time.time_ns())
        else:
            self._start_program()
        await self._left.wait()

    def _read(self) -> None:
        try:
            data = self._connection.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._left.set()
            return
        try:
            self._reader.feed(data)
        except FrameError:
            self._left.set()

    def _on_payload(self, payload: bytes) -> None:
        frame = decode_frame(payload)
        if isinstance(frame, Invoke):
            self._exchange.invoke(frame)
        elif isinstance(frame, CallResult):
            self._exchange.call_result(frame)
        elif isinstance(frame, Stop):
            self._left.set()

    # ------------------------------------------------------------ the program

    def _start_program(self) -> None:
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        cutters: list[LineCutter | RecordCutter] = [
            LineCutter("stdout", "INFO"),
            LineCutter("stderr", "WARN"),
        ]
        cutters.append(RecordCutter())
        for (reading, _), cutter in zip(pipes, cutters, strict=True):
            self._listen(Stream(reading, cutter, self._log.write))
        began_ns = time.time_ns()
        try:
            self._program = Program(self._spec, self._environment, *(writing for _, writing in pipes))
        except ReliveError as error:
            told = Told("Runtime.InvalidEntrypoint", str(error))
            self._could_not_start("init", [told], began_ns)
            return
        finally:
            for _, writing in pipes:
                os.close(writing)
        self._meter.program = self._program.pid
        limit_s = self._spec.load_timeout_s
        self._init_limit = asyncio.get_running_loop().call_later(limit_s, self._init_late, limit_s)

    def _listen(self, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        self._streams.append(stream)

        def read() -> None:
            stream.read()
            if not stream.open:
                self._forget(stream)

        loop.add_reader(stream.descriptor, read)

    def _forget(self, stream: Stream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
            asyncio.get_running_loop().remove_reader(stream.descriptor)
            stream.open = False
            stream.drain()
            os.close(stream.descriptor)

    def _reap(self) -> None:
        """Whatever has ended below this process: the program, or what it has left behind."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            program = self._program
            if program is not None and pid == program.pid:
                program.reaped(status, used.ru_maxrss * 1_024)
                self._meter.program = 0
                if self._ending is None:
                    self._on_end(program, status)

    def _on_end(self, program: Program, status: int) -> None:
        """It has ended by itself, or somebody else has ended it."""
        kill_all()  # what it has started has nobody to work for any more
        self.drain_output()
        kind, how = describe_end(status)
        exchange = self._exchange
        attempt = exchange.current
        if not exchange.started:
            self._could_not_start(
                kind, self._endings.ended(how, self._out_of_memory(program)), program.started_ns
            )
        elif attempt is not None and attempt.answered:
            self._log.say("WARN", f"the program ended after its answer: {how}")
        elif attempt is not None:
            kind = "memory" if self._out_of_memory(program) else kind
            exchange.fail(kind, self._endings.ended(how, self._out_of_memory(program)))
        else:
            self._log.say("WARN", f"the program ended while nothing ran: {how}")
        self._exchange.ended()

    def _out_of_memory(self, program: Program) -> bool:
        return self._endings.is_out_of_memory(program.status, program.peak_bytes)

    # ------------------------------------------------------------ of the attempts

    def ready(self) -> None:
        """The program asks for its first event."""
        if self._init_limit is not None:
            self._init_limit.cancel()
        if self._told_ready:
            return
        self._told_ready = True
        self.drain_output()
        used = self._meter.look()
        self._sink.send_surely(
            Ready(
                pid=self._start.pid,
                started_ns=self._start.started_ns,
                loaded_ns=time.time_ns(),
                isolation_tier=self._reached.tier,
                isolation_detail=self._reached.detail,
                cpu_ns=used.cpu_ns,
                own_tmp=self._reached.own_tmp,
            )
        )

    def is_up(self) -> bool:
        """Whether the program runs, or begins to."""
        return self._program is not None and self._program.status is None

    def start_again(self) -> None:
        """It has ended while nothing ran; there is an event for it."""
        self._log.say("INFO", "the program is started again")
        self._start_program()

    def drain_output(self) -> None:
        """Take what it has written until now."""
        for stream in list(self._streams):
            stream.drain()

    def scene(self, kind: str, chain: list[Told], invocation_id: str) -> Scene:
        """Of a failure."""
        scene = capture_told(
            chain, kind=kind, spec=self._spec, invocation_id=invocation_id, environment=self._environment
        )
        scene.parts["replay"] = partial(Why.RUN_ANEW)
        return scene

    def overdue(self, attempt: Attempt) -> None:
        """Its time is over: the program says where it stands, if it can, and ends."""
        self._end_with("timeout", attempt)

    def _memory_over(self) -> None:
        """The server has seen that the program holds too much."""
        attempt = self._exchange.current
        if attempt is not None and not attempt.answered:
            self._end_with("memory", attempt)

    def _end_with(self, kind: str, attempt: Attempt) -> None:
        if self._ending is None:
            attempt.ended_ns = time.time_ns()
            self._exchange.retire()
            self._ending = asyncio.get_running_loop().create_task(self._end_program(kind, attempt))

    async def _end_program(self, kind: str, attempt: Attempt) -> None:
        program = self._program
        late = attempt.answered
        chain = []
        if program is not None and not late:
            chain = await self._endings.stopped(kind, program, self.drain_output)
        kill_all()
        with contextlib.suppress(ChildProcessError):
            self._reap()
        self.drain_output()
        if late:
            self._log.say("WARN", "the program did not ask for another event in its time, and was ended")
        elif self._exchange.current is attempt:
            self._exchange.fail(kind, chain)
        self._exchange.ended()

    # ------------------------------------------------------------ of the Runtime API

    def next(self, reply: Reply) -> None:
        """The program is ready for an event."""
        self._exchange.next(reply)

    def answer(self, invocation_id: str, head: Head, reply: Reply) -> ResponseBody:
        """It begins to answer one."""
        return self._exchange.answer(invocation_id, head, reply)

    def failed(self, invocation_id: str, head: Head, body: bytes, reply: Reply) -> None:
        """It could not."""
        self._exchange.failed(invocation_id, head, body, reply)

    def init_failed(self, head: Head, body: bytes, reply: Reply) -> None:
        """It will never be ready."""
        began_ns = self._program.started_ns if self._program is not None else time.time_ns()
        headers = head.headers
        chain = read_payload(
            body,
            headers.get("lambda-runtime-function-error-type", ""),
            headers.get("lambda-runtime-function-xray-error-cause", ""),
        )
        reply.accept()
        if not self._exchange.started:
            self._could_not_start("init", chain, began_ns)

    # ------------------------------------------------------------ its beginning, failed

    def _init_late(self, limit_s: float) -> None:
        program = self._program
        if not self._exchange.started and program is not None and self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._init_ended(limit_s, program))

    async def _init_ended(self, limit_s: float, program: Program) -> None:
        text = f"the program did not ask for its first event within {limit_s:g} s"
        chain = await self._endings.stopped("init", program, self.drain_output, text)
        kill_all()
        self._could_not_start("timeout", chain, program.started_ns)

    def _could_not_start(self, kind: str, chain: list[Told], began_ns: int) -> None:
        """Tell it, once: of the worker's own beginning, or of the event that it was started again for."""
        if self._init_over:
            return
        self._init_over = True
        if self._init_limit is not None:
            self._init_limit.cancel()
        self.drain_output()
        if self._told_ready:
            self._exchange.retire()
            self._exchange.fail("exit" if kind == "init" else kind, chain)
            self._exchange.ended()
            return
        scene = self.scene(kind if kind != "exit" else "init", chain, "")
        self._sink.send_surely(scene)
        self._sink.send_surely(
            InitFailed(
                pid=self._start.pid,
                started_ns=self._start.started_ns,
                failed_ns=time.time_ns(),
                error=scene.error,
                isolation_tier=self._reached.tier,
            )
        )
