"""A worker's recording side in a real process, on a real socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from relive_base.wire.messages import (
    AnyFrame,
    FrameDecoder,
    LogLine,
    Logs,
    MetricData,
    Metrics,
    SpanData,
    Spans,
    SpanUpdate,
)
from relive_store import Store, StoreProcess, open_store
from relive_tracer.explore.invoke_spans import merged

PRELUDE = """
import logging, os, signal, socket, subprocess, sys, threading, time
from relive_base.wire.messages import FunctionSpec, Invoke
from relive_base.wire.sink import FrameSink
from relive_tracer.record import Telemetry, TelemetryLimits, preload
sink = FrameSink(socket.socket(fileno=int(sys.argv[1])))
SPEC = FunctionSpec(name="shop", version=3, handler="m:h", app="demo", output_limit_bytes=@OUTPUT@,
                    instance="w-1", environment=dict(os.environ), source=os.getcwd())
telemetry = Telemetry(sink.send, SPEC, TelemetryLimits(**@LIMITS@))
telemetry.install()
def invoke(number=1, **more):
    return Invoke(invocation_id=f"invocation-{number}", trace_id=f"{number:032x}", span_id=f"{number:016x}",
                  deadline_monotonic_ns=0, **more)
def tell(text):
    os.write(1, (str(text) + "\\n").encode())
"""


@dataclass
class Recorded:
    """What a worker sent, and how it ended."""

    frames: list[AnyFrame] = field(default_factory=list)
    returncode: int = 0
    console: str = ""
    errors: str = ""

    @property
    def spans(self) -> list[tuple[str, SpanData]]:
        return [(f.invocation_id, s) for f in self.frames if isinstance(f, Spans) for s in f.spans]

    @property
    def lines(self) -> list[tuple[str, LogLine]]:
        return [(f.invocation_id, line) for f in self.frames if isinstance(f, Logs) for line in f.lines]

    @property
    def measured(self) -> list[tuple[str, MetricData]]:
        return [(f.invocation_id, m) for f in self.frames if isinstance(f, Metrics) for m in f.metrics]

    @property
    def invoke_span(self) -> SpanData:
        """What was put on the invoke span, as the collector puts it together."""
        return merged([f for f in self.frames if isinstance(f, SpanUpdate)])

    @property
    def bodies(self) -> list[str]:
        return [line.body for _, line in self.lines]

    def span(self, name: str) -> SpanData:
        return next(s for _, s in self.spans if s.name == name)


@pytest.fixture
def run_worker() -> Callable[..., Recorded]:
    """Runs code after the prelude in a fresh interpreter; gives everything it sent."""

    def run(
        code: str, *, output_limit: int = 1_048_576, env: dict[str, str] | None = None, **limits: int
    ) -> Recorded:
        ours, theirs = socket.socketpair()
        prelude = PRELUDE.replace("@OUTPUT@", str(output_limit)).replace("@LIMITS@", repr(limits))
        process = subprocess.Popen(
            [sys.executable, "-c", prelude + textwrap.dedent(code), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        theirs.close()
        recorded = Recorded()
        decoder = FrameDecoder()
        ours.settimeout(120)
        while data := ours.recv(1 << 20):
            recorded.frames.extend(decoder.feed(data))
        ours.close()
        recorded.console, recorded.errors = process.communicate(timeout=120)
        recorded.returncode = process.returncode
        assert decoder.pending_bytes == 0
        return recorded

    return run


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """The embedded engine in its own process, with an empty schema; shared by all tests of this folder."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:
        process = StoreProcess(Path(folder) / "store", Path(folder) / "s.sock")
        process.start(60)
        opened = open_store(process.url)
        try:
            opened.migrate()
            yield opened
        finally:
            opened.close()
            process.stop()


@pytest.fixture
def clean_store(store: Store) -> Store:
    """The store, with nothing in the tables that the tracer reads."""
    for table in ("otel_traces", "otel_logs", "otel_traces_trace_id_ts", "invocations"):
        store.execute("TRUNCATE TABLE " + table)
    return store
