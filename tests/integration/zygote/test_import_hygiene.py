"""What the record side imports, in a process of its own, and what that costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from relive_runtime.folder import build_runtime

LIMIT = 0.9
"""Of the CPU time of YARDSTICK, some 75 ms where the record side takes 55: so the machine does not matter."""
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
    "relive_platform",
    "werkzeug",
)
PROBE = """
import json, sys, time
sys.path.append(sys.argv[1])
began = time.process_time()
import relive_base.frames, relive_base.sink, relive_base.ids
import relive_tracer.record, relive_profiler.record, relive_capture.record
import relive_runtime.worker.main, relive_runtime.zygote.serving
import relive
cost = time.process_time() - began
print(json.dumps([cost, sorted(sys.modules)]))
"""

YARDSTICK = """
import json, sys, time
began = time.process_time()
import argparse, asyncio, concurrent.futures.process, doctest, ftplib, http.server, logging.config
import multiprocessing.pool, pdb, sqlite3, tarfile, unittest.mock, xml.dom.minidom, zipfile
print(json.dumps([time.process_time() - began, []]))
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_runtime(tmp_path_factory.mktemp("home"))


def _probe(code: str, runtime: Path) -> tuple[float, list[str]]:
    """As where it is installed: from bytecode, which an environment may keep from being written."""
    cached = f"pycache_prefix={runtime.parent / 'bytecode'}"
    command = [sys.executable, "-I", "-S", "-X", cached, "-c", code, str(runtime)]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    cost, modules = json.loads(done.stdout)
    return cost, modules


def test_the_record_side_imports_nothing_heavy(runtime: Path) -> None:
    _, modules = _probe(PROBE, runtime)
    heavy = [name for name in modules if name.split(".")[0] in FORBIDDEN or ".explore" in name]
    assert heavy == []


def test_the_record_side_is_imported_sooner_than_a_handful_of_the_standard_library(runtime: Path) -> None:
    pairs = [(_probe(PROBE, runtime)[0], _probe(YARDSTICK, runtime)[0]) for _ in range(6)]
    assert min(ours for ours, _ in pairs) <= LIMIT * min(theirs for _, theirs in pairs)
