"""What the record side imports, in a process of its own, and what that costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from relive_platform.runtime_path import build_runtime

LIMIT_S = 0.060
FORBIDDEN = (
    "asyncio",
    "grpc",
    "chdb",
    "numpy",
    "rich",
    "click",
    "textual",
    "requests",
    "relive_store",
    "werkzeug",
)
PROBE = """
import json, sys, time
sys.path.append(sys.argv[1])
began = time.process_time()
import relive_base.frames, relive_base.sink, relive_base.ids
import relive_tracer.record, relive_profiler.record, relive_capture.record
import relive_platform.worker.main, relive_platform.zygote.serving
import relive
cost = time.process_time() - began
print(json.dumps([cost, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, list[str]]]:
    runtime = build_runtime(tmp_path_factory.mktemp("home"))
    return [_probe(runtime) for _ in range(6)]


def _probe(runtime: Path) -> tuple[float, list[str]]:
    command = [sys.executable, "-I", "-S", "-c", PROBE, str(runtime)]
    cost, modules = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return cost, modules


def test_the_record_side_imports_nothing_heavy(probes: list[tuple[float, list[str]]]) -> None:
    modules = probes[-1][1]
    heavy = [name for name in modules if name.split(".")[0] in FORBIDDEN or ".explore" in name]
    assert heavy == []


def test_the_record_side_is_imported_in_60_cpu_milliseconds(probes: list[tuple[float, list[str]]]) -> None:
    assert min(cost for cost, _modules in probes) <= LIMIT_S
