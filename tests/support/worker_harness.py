"""A real zygote and real workers over real sockets, driven by hand: the server's part, played by a test."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.wire.framing import FrameReader
from relive_base.wire.messages import (
    AnyFrame,
    Done,
    Exited,
    Fork,
    Forked,
    FunctionSpec,
    HttpRequest,
    InitFailed,
    Invoke,
    Logs,
    Ready,
    Result,
    Scene,
    Stop,
    ZygoteReady,
    decode_frame,
    encode_frame,
)
from relive_base.wire.ring import RingReader, make_ring
from relive_platform.engine.workers.fault_file import FaultFile
from relive_runtime.folder import build_runtime
from relive_tracer.record.console_order import MARK

__all__ = ["Outcome", "WorkerHandle", "ZygoteHandle", "zygote"]

WAIT_S = 120.0  # as in patience.py; benchmarks load this file by itself
LOOK_S = 0.005  # how often the ring is looked at, as the server does
FrameType = TypeVar("FrameType", bound=AnyFrame)


class _Wire:
    """One socket: frames out, frames in, in order."""

    def __init__(self, connection: socket.socket, ring: RingReader | None = None) -> None:
        self.socket = connection
        self._ring = ring
        self._stream = FrameReader(self._on_payload)
        self._ring_stream = FrameReader(self._add)
        self._pending: list[AnyFrame] = []
        self.closed = False

    def send(self, frame: AnyFrame) -> None:
        self.socket.sendall(encode_frame(frame))

    def next(self, timeout_s: float = WAIT_S) -> AnyFrame | None:
        """The next frame; None at the end of the stream. Raises TimeoutError."""
        end = time.monotonic() + timeout_s
        while not self._pending:
            if self.closed:
                return None
            left = max(end - time.monotonic(), 0)
            if not select.select([self.socket], [], [], min(left, LOOK_S) if self._ring else left)[0]:
                self._look()
                if not left and not self._pending:
                    raise TimeoutError("no frame came in time")
                continue
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            self.closed = not data
            self._stream.feed(data)
            if self.closed:
                self._look()
        return self._pending.pop(0)

    def _on_payload(self, payload: bytes) -> None:
        """As the server does: a frame of the socket has its place among those in the ring."""
        if payload:
            if self._ring is not None and not self._ring.elsewhere:
                self._look()
            if self._ring is not None:
                self._ring.elsewhere = max(self._ring.elsewhere - 1, 0)
            self._add(payload)
        self._look()

    def _look(self) -> None:
        if self._ring is not None and self._ring.waiting:
            self._ring_stream.feed(self._ring.take())

    def _add(self, payload: bytes) -> None:
        frame = decode_frame(payload)
        self._pending.append(frame)
        if isinstance(frame, Result) and frame.done is not None:
            self._pending.append(frame.done)

    def until(self, wanted: type[FrameType], timeout_s: float = WAIT_S) -> tuple[FrameType, list[AnyFrame]]:
        """The next frame of a kind, and those that came before it."""
        before: list[AnyFrame] = []
        while True:
            frame = self.next(timeout_s)
            if frame is None:
                raise EOFError(f"the stream ended before a {wanted.__name__}; there were {before!r}")
            if isinstance(frame, wanted):
                return frame, before
            before.append(frame)


class Outcome:
    """Everything that came of one invocation."""

    def __init__(self, result: Result, done: Done, frames: list[AnyFrame]) -> None:
        self.result = result
        self.done = done
        self.frames = frames

    @property
    def value(self) -> Any:
        return json.loads(self.result.body)

    @property
    def scene(self) -> Scene | None:
        return next((frame for frame in self.frames if isinstance(frame, Scene)), None)

    @property
    def lines(self) -> list[str]:
        return [line.body for frame in self.frames if isinstance(frame, Logs) for line in frame.lines]


class WorkerHandle:
    """The server's end of one worker."""

    def __init__(
        self,
        worker_id: int,
        spec: FunctionSpec,
        frames: socket.socket,
        console: int,
        ring: RingReader | None = None,
    ) -> None:
        self.worker_id = worker_id
        self.spec = spec
        self.wire = _Wire(frames, ring)
        self.console_fd = console
        self.pid = 0
        self.ready: Ready | None = None

    def start(self) -> Ready:
        """Wait until the handler is loaded."""
        self.ready, _ = self.wire.until(Ready)
        return self.ready

    def init_failed(self) -> tuple[InitFailed, list[AnyFrame]]:
        """Wait until loading has failed."""
        return self.wire.until(InitFailed)

    def invoke_frame(self, event: object = None, **fields: Any) -> Invoke:
        """An Invoke frame with fresh ids; `raw` replaces the event's JSON text, `timeout_s` the spec's."""
        raw = fields.pop("raw", None)
        timeout_s = fields.pop("timeout_s", self.spec.timeout_s)
        return Invoke(
            invocation_id=new_invocation_id(),
            trace_id=new_trace_id(),
            span_id=new_span_id(),
            deadline_monotonic_ns=time.monotonic_ns() + int(timeout_s * 1e9),
            event=json.dumps(event).encode() if raw is None else raw,
            **fields,
        )

    def invoke(self, event: object = None, **fields: Any) -> Outcome:
        """Send an event and wait for its last frame."""
        self.wire.send(self.invoke_frame(event, **fields))
        return self.finish()

    def request(self, method: str = "GET", path: str = "/", **fields: Any) -> Outcome:
        """Send an HTTP request and wait for the last frame."""
        http = HttpRequest(method, path, host="localhost:8700", client="127.0.0.1", **fields)
        return self.invoke(raw=b"", http=http, trigger="http")

    def finish(self) -> Outcome:
        """Wait for Result and Done."""
        result, before = self.wire.until(Result)
        done, between = self.wire.until(Done)
        return Outcome(result, done, before + between)

    def console(self, timeout_s: float = 0.2) -> str:
        """What has been written past Python's streams, without Relive's own marks in it."""
        text = b""
        while select.select([self.console_fd], [], [], timeout_s)[0]:
            data = os.read(self.console_fd, 65_536)
            if not data:
                break
            text += data
        return re.sub(MARK.replace(b"%d", rb"\d+"), b"", text).decode(errors="replace")

    def stop(self) -> None:
        """Tell the worker to leave."""
        self.wire.send(Stop())

    def ended(self, timeout_s: float = WAIT_S) -> bool:
        """Wait for the end of the stream: the process is gone. Raises TimeoutError."""
        while self.wire.next(timeout_s) is not None:
            pass
        return True

    def close(self) -> None:
        self.wire.socket.close()
        if self.console_fd >= 0:
            os.close(self.console_fd)
            self.console_fd = -1


class ZygoteHandle:
    """A zygote process and its control socket. Use it as a context manager: it leaves nothing behind."""

    def __init__(
        self,
        home: Path,
        *,
        deps_dir: str = "",
        preload: list[str] | None = None,
        python: str = sys.executable,
        environment: dict[str, str] | None = None,
        tier: int = 1,
        users: tuple[int, int] | None = None,
        confined: bool = False,
        without: Sequence[str] = (),
    ) -> None:
        """`users`: the first, and how many there are, for workers in tier 2. `confined`: as one that imports
        the code of others. `without`: modules of Relive that it is not to import."""
        self.home = home
        self.runtime = build_runtime(home)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        script = self.runtime / "relive_runtime" / "zygote" / "bootstrap.py"
        options = json.dumps(
            {
                "deps_dir": deps_dir,
                "preload": preload or [],
                "tier": tier,
                "users": users,
                "code_root": str(home / "code"),
                "scratch_root": str(home / "scratch"),
                "confined": confined,
                "tmp_mb": 16,
                "without": list(without),
            }
        )
        for folder in (home / "code", home / "scratch"):
            folder.mkdir(exist_ok=True)
        self._users = users
        self.process = subprocess.Popen(
            [python, "-I", "-S", str(script), str(self.runtime), str(theirs.fileno()), options],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "SERVER_SECRET": "not for functions", **(environment or {})},
        )
        theirs.close()
        self.wire = _Wire(ours)
        self.workers: dict[int, WorkerHandle] = {}
        self.exited: dict[int, Exited] = {}
        self._next_id = 0

    def __enter__(self) -> ZygoteHandle:
        self.ready, _ = self.wire.until(ZygoteReady)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers.values():
            worker.close()
        self.wire.socket.close()
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def spec(self, source: Path | str, handler: str = "main:handler", **fields: Any) -> FunctionSpec:
        """A spec with a scratch folder of its own."""
        scratch = self.home / "scratch" / str(self._next_id + 1)
        scratch.mkdir(parents=True, exist_ok=True)
        uid = 0
        if self._users is not None and self.ready.own_users and fields.get("isolation_tier", 1) > 1:
            fields.setdefault("uid", self._users[0] + 1 + self._next_id)
            uid = fields["uid"]
        if self.ready.uid or uid:
            os.chown(scratch, uid or self.ready.uid, self.ready.uid)
            scratch.chmod(0o770)
        fields.setdefault("scratch", str(scratch))
        fields.setdefault("name", "test-function")
        fields.setdefault("timeout_s", 60.0)
        fields.setdefault("version", 1)
        return FunctionSpec(handler=handler, source=str(source), **fields)

    def fork(self, spec: FunctionSpec) -> WorkerHandle:
        """A new worker; its process exists, its handler is not loaded yet."""
        self._next_id += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        console_read, console_write = os.pipe()
        ring = make_ring()
        reader = RingReader(ring) if ring >= 0 else None
        worker = WorkerHandle(self._next_id, spec, ours, console_read, reader)
        self.workers[worker.worker_id] = worker
        faults = FaultFile()
        if spec.uid:
            os.fchown(console_write, spec.uid, self.ready.uid)
        given = [theirs.fileno(), console_write, faults.duplicate(), *([ring] if ring >= 0 else [])]
        faults.close()
        data = encode_frame(Fork(worker_id=worker.worker_id, spec=spec, descriptors=len(given)))
        socket.send_fds(self.wire.socket, [data], given)
        theirs.close()
        for descriptor in given[1:]:
            os.close(descriptor)
        while not worker.pid:
            frame = self.wire.next()
            if isinstance(frame, Exited):
                self.exited[frame.worker_id] = frame
            elif isinstance(frame, Forked) and frame.worker_id == worker.worker_id:
                if not frame.pid:
                    raise OSError(frame.error)
                worker.pid = frame.pid
        return worker

    def worker(self, code: str, handler: str = "main:handler", **fields: Any) -> WorkerHandle:
        """A worker that has loaded `code` as the module main."""
        worker = self.unloaded(code, handler, **fields)
        worker.start()
        return worker

    def unloaded(self, code: str, handler: str = "main:handler", **fields: Any) -> WorkerHandle:
        """As `worker`, without waiting for the handler."""
        source = self.home / "code" / f"v{self._next_id + 1}"
        source.mkdir(parents=True, exist_ok=True)
        (source / "main.py").write_text(code)
        return self.fork(self.spec(source, handler, **fields))

    def wait_exit(self, worker: WorkerHandle, timeout_s: float = WAIT_S) -> Exited:
        """Wait until the zygote has reaped a worker."""
        while worker.worker_id not in self.exited:
            frame, _ = self.wire.until(Exited, timeout_s)
            self.exited[frame.worker_id] = frame
        return self.exited[worker.worker_id]

    def kill(self, worker: WorkerHandle) -> None:
        os.kill(worker.pid, signal.SIGKILL)


@contextmanager
def zygote(home: Path, **options: Any) -> Iterator[ZygoteHandle]:
    """A running zygote."""
    with ZygoteHandle(home, **options) as running:
        yield running
