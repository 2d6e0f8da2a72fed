"""What keeping an invocation's calls costs: CPU of the worker process, with and without, in the same run.

The handler makes ten HTTP calls with `requests` to a server on loopback, which lives in this process. Two
workers of one zygote, one with `recording = false`, get a batch each in turn; CPU is read from outside. A
third one, without too, shows the noise of the method. What begin and end cost where the function makes no
call is measured apart.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["run", "try_out"]

Row = dict[str, Any]
MAX_PERCENT = 3.0
MAX_IDLE_US = 2.0
CALLS = 10
BATCH = 2  # short ones in turn: what disturbs one disturbs its neighbours too
SIDES = ("off", "on", "off again")
_HARNESS = Path(__file__).resolve().parents[2] / "tests" / "support" / "worker_harness.py"
_PACKAGES = ("requests", "urllib3", "idna", "certifi", "charset_normalizer")
HANDLER = f"""
import requests
session = requests.Session()

def handler(event, context):
    return sum(session.get(event + "/price?sku=" + str(number)).json()["price"] for number in range({CALLS}))
"""
ANSWER = json.dumps(
    {"price": 3, "items": [{"sku": f"sku-{number}", "count": number} for number in range(40)]}
)


class _Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        data = ANSWER.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        self.wfile.write(head.encode() + data)


def _cpu_ns(pid: int) -> int:
    """CPU time of all threads of another process: its CPU clock (clock_getcpuclockid)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def _batch(worker: Any, address: str) -> float:
    """us of CPU per invocation."""
    began = _cpu_ns(worker.pid)
    for _ in range(BATCH):
        outcome = worker.invoke(address)
        if outcome.result.status != "ok":
            raise RuntimeError(f"the handler failed: {outcome.result.error}")
    return (_cpu_ns(worker.pid) - began) / BATCH / 1e3


def _measure(zygote: Any, source: Path, address: str, generations: int, turns: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(generations):
        workers = {}
        for side in SIDES:
            spec = zygote.spec(
                source, name="bench", memory_mb=1024, timeout_s=60.0, profile="off", recording=side == "on"
            )
            workers[side] = zygote.fork(spec)
            workers[side].start()
            _batch(workers[side], address)
        for turn in range(turns):
            order = SIDES[turn % 3 :] + SIDES[: turn % 3]
            for side in order if turn % 2 else reversed(order):
                found[side].append(_batch(workers[side], address))
        for worker in workers.values():
            worker.stop()
            zygote.wait_exit(worker)
            worker.close()
    return found


def _quiet_us(batches: list[float]) -> float:
    """The first decile: what a batch takes where nothing else gets into its way."""
    return statistics.quantiles(batches, n=10)[0]


def _idle_us(rounds: int) -> float:
    """begin and end around nothing, the smallest of five."""
    from relive_capture.record.recording import Recorder

    recorder = Recorder()
    recorder.loaded()
    costs = []
    for _ in range(5):
        began = time.process_time_ns()
        for _ in range(rounds):
            recorder.begin(1)
            recorder.end()
        costs.append((time.process_time_ns() - began) / rounds / 1e3)
    return min(costs)


def _harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_worker_harness", _HARNESS)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_HARNESS} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _dependencies(folder: Path) -> Path:
    """A dependency folder with requests, as links to what is installed here."""
    deps = folder / "deps"
    deps.mkdir()
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"{name} is not installed")
        (deps / name).symlink_to(Path(spec.origin).parent)
    return deps


def _row(name: str, value: float, unit: str, most: float | None = None) -> Row:
    target = "" if most is None else f"<= {most:g}"
    ok = None if most is None else value <= most
    return {
        "name": f"recorded calls, {name}",
        "value": round(value, 2),
        "unit": unit,
        "target": target,
        "ok": ok,
    }


def run(quick: bool = False) -> list[Row]:
    """Overhead on ten calls, in percent and in us, and of an invocation without any."""
    found = _found(4, 60) if quick else _found(6, 120)
    base, again = _quiet_us(found["off"]), _quiet_us(found["off again"])
    extra = _quiet_us(found["on"]) - (base + again) / 2
    return [
        _row(f"{CALLS} calls with requests: without", base, "us CPU/invocation"),
        _row(f"{CALLS} calls with requests: overhead", 100.0 * extra / base, "% CPU", MAX_PERCENT),
        _row(f"{CALLS} calls with requests: overhead", extra, "us CPU/invocation"),
        _row("off against off", abs(again - base), "us CPU/invocation"),
        _row("no call at all: begin and end", _idle_us(50_000), "us CPU/invocation", MAX_IDLE_US),
    ]


def _found(generations: int, turns: int) -> dict[str, list[float]]:
    """us of CPU per invocation, a list for each side."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    with tempfile.TemporaryDirectory(prefix="rl-cas-") as name:
        folder = Path(name)
        (folder / "code").mkdir()
        (folder / "code" / "main.py").write_text(HANDLER)
        with _harness().zygote(folder, deps_dir=str(_dependencies(folder)), preload=["requests"]) as zygote:
            found = _measure(zygote, folder / "code", address, generations, turns)
    server.shutdown()
    server.server_close()
    return found


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    _found(1, 1)
    _idle_us(1)


if __name__ == "__main__":
    for line in run(quick="--quick" in sys.argv):
        print(json.dumps(line))
