"""What a recorder costs the process that has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from import_cost import cost_and_modules, share_of_yardstick
from patience import PATIENCE_S

ALL = """
from relive_outside.recording import own_recorder
own_recorder("script")
"""
FOREIGN = ("asyncio", "boto3", "opentelemetry", "werkzeug", "chdb", "grpc", "httpx", "requests", "uvicorn")
OWN = (
    "relive_store",
    "relive_platform",
    "relive_capture.explore",
    "relive_tracer.explore",
    "relive_profiler",
)
CALLS = """
import os, sys, time
import relive
recorded = os.environ["RELIVE_RECORD"] == "on"
def work(number):
    total = 0
    for at in range(60_000):
        total += at * number % 7
    return total
called = relive.record(work)
results = [called(1)]
began = time.process_time_ns()
for number in range(40):
    results.append(called(number))
print(time.process_time_ns() - began, sum(results))
"""


def test_the_import_takes_at_most_60_ms_of_cpu(tmp_path: Path) -> None:
    # The yardstick takes 75 ms on the machine that the limit is for
    assert share_of_yardstick(ALL, tmp_path, enough=0.7) < 60 / 75


def test_nothing_of_the_server_and_no_library_of_others_is_imported(tmp_path: Path) -> None:
    _, modules = cost_and_modules(ALL, tmp_path)
    tops = {name.partition(".")[0] for name in modules}
    assert not tops & set(FOREIGN)
    assert not [name for name in modules if name.startswith(OWN)]


def test_an_invocation_of_some_ms_costs_next_to_nothing_more(tmp_path: Path) -> None:
    # Given a function of some ms, with and without a recorder, in turns
    def took(state: str) -> tuple[int, str]:
        environment = {"RELIVE_RECORD": state, "RELIVE_RECORD_STATE": str(tmp_path), "PATH": ""}
        ran = subprocess.run(
            [sys.executable, "-c", CALLS],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        spent, result = ran.stdout.split()
        return int(spent), result

    # I expect the same results, and a ratio within what a busy machine allows; in more turns less is chance
    with_it, without, results, ratio = [], [], set(), 2.0
    while ratio >= 1.1 and len(without) < 20:
        for spent, state in ((with_it, "on"), (without, "off")):
            cpu_ns, result = took(state)
            spent.append(cpu_ns)
            results.add(result)
        ratio = min(with_it) / min(without)
    assert len(results) == 1
    assert ratio < 1.1
