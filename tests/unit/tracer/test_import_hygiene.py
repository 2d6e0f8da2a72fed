"""What the recording side brings into the user's process."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = (
    "asyncio", "chdb", "click", "clickhouse_driver", "grpc", "google.protobuf", "importlib.metadata", "numpy",
    "opentelemetry.exporter", "opentelemetry.proto", "psutil", "relive_store", "relive_tracer.explore",
    "requests", "rich", "textual", "urllib3",
)  # fmt: skip


def test_the_record_side_imports_little_and_starts_no_thread() -> None:
    code = """
import sys, threading
from relive_tracer.record import Telemetry, preload
light = "opentelemetry.sdk.trace" not in sys.modules
assert preload() == ""
from relive_base.wire.messages import FunctionSpec, Invoke
out = sys.stdout
telemetry = Telemetry(lambda frame: True, FunctionSpec(name="f", version=1, handler="m:h"))
telemetry.install()
from opentelemetry import trace
telemetry.begin(Invoke(invocation_id="i", trace_id="1" * 32, span_id="2" * 16, deadline_monotonic_ns=0))
trace.get_tracer("t").start_span("s").end()
print("line")
assert telemetry.end().spans == 1
telemetry.uninstall()
assert sys.stdout is out
print(light, threading.active_count(), *sorted(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    light, threads, *modules = result.stdout.split()
    assert (light, threads) == ("True", "1")
    bad = [m for m in modules if any(m == name or m.startswith(name + ".") for name in FORBIDDEN)]
    assert bad == []
