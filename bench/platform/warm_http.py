"""Warm synchronous HTTP: everything recorded, against functions-framework and raw uvicorn, in one run.

Requests per second need a quiet machine. CPU time of a request is worth something on a busy one, too.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

__all__ = ["run"]

ROUNDS = 3
TARGET_FRAMEWORK = 4.0  # times functions-framework, 16 clients
TARGET_UVICORN = 0.5  # share of raw uvicorn, 16 clients
_TOML = """[app]
name = "bench"
[functions.hello]
source = "."
handler = "hello:hello"
kind = "http"
max_workers = 2
"""
_HELLO = "def hello(request):\n    return 'hello'\n"
_ASGI = """async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                response.read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def _process(
    command: list[str], folder: Path, url: str, env: dict[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """URL and process id of a server that answers."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        _wait(url)
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _uvicorn(folder: Path, port: int) -> list[str]:
    del folder
    command = [sys.executable, "-m", "uvicorn", "asgi:app", "--port", str(port), "--no-access-log"]
    return [*command, "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]


def _framework(folder: Path, port: int) -> list[str]:
    # What its production mode runs: gunicorn, here with one process as it is with ours.
    del folder
    module = "functions_framework:create_app(target='hello', source='hello.py')"
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "8", "--log-level", "error"]
    return [sys.executable, "-m", "gunicorn", module, *options]


@contextlib.contextmanager
def _relive(folder: Path, port: int) -> Iterator[tuple[str, int]]:
    """A whole server with the embedded store; the function is deployed through its registry before."""
    from relive_platform.registry import Registry

    home = folder / "home"
    registry = Registry(home)
    registry.deploy(folder / "app")
    registry.close()
    env = {"RELIVE_HOME": str(home), "RELIVE_HTTP": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "relive_platform.server.serving"]
    with _process(command, folder, f"http://127.0.0.1:{port}/fn/hello/", env) as served:
        yield served


def _family(pid: int) -> list[int]:
    """A process, and those that it has started, with theirs."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _load_measured(url: str, pid: int, seconds: float) -> tuple[float, float, float]:
    """With 16 clients: requests per second, and CPU time of a request in us, of the process that answers and
    of all that work for it."""
    family = _family(pid)
    before = [_cpu_s(one) for one in family]
    rate, _, requests = _load(url, 16, seconds)
    spent = [_cpu_s(one) - start for one, start in zip(family, before, strict=True)]
    return rate, spent[0] / requests * 1e6, sum(spent) / requests * 1e6


def _load(url: str, clients: int, seconds: float) -> tuple[float, float, int]:
    """Requests per second, median latency in ms, and how many requests there were."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{max(int(seconds), 1)}s", "--latency", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if errors:
        raise RuntimeError(f"{url} gave {errors[1]} errors")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    latency = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[latency[2]]  # type: ignore[index]
    requests = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    return rate, float(latency[1]) * scale, requests  # type: ignore[index]


def run(quick: bool = False) -> list[dict[str, object]]:
    """Three servers run side by side, loaded one after the other, several rounds; medians."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is needed: apt-get install wrk")
    seconds = 2.0 if quick else 5.0
    folder = Path(tempfile.mkdtemp(prefix="relive-bench-"))
    (folder / "app").mkdir()
    (folder / "app" / "relive.toml").write_text(_TOML)
    (folder / "app" / "hello.py").write_text(_HELLO)
    (folder / "hello.py").write_text(_HELLO)
    (folder / "asgi.py").write_text(_ASGI)
    rates: dict[str, list[float]] = {}
    medians: dict[str, list[float]] = {}
    own: dict[str, list[float]] = {}
    all_us: dict[str, list[float]] = {}
    try:
        for _ in range(1 if quick else ROUNDS):
            for name in ("uvicorn", "functions-framework", "relive"):
                with _served(name, folder) as (url, pid):
                    _load(url, 4, 1)
                    rate, server_us, family_us = _load_measured(url, pid, seconds)
                    rates.setdefault(name, []).append(rate)
                    own.setdefault(name, []).append(server_us)
                    all_us.setdefault(name, []).append(family_us)
                    medians.setdefault(name, []).append(_load(url, 1, seconds)[1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _rows(_medians(rates), _medians(medians), _medians(own), _medians(all_us))


def _medians(found: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in found.items()}


@contextlib.contextmanager
def _served(name: str, folder: Path) -> Iterator[tuple[str, int]]:
    port = _free_port()
    if name == "relive":
        with _relive(folder, port) as served:
            yield served
        return
    command = _uvicorn(folder, port) if name == "uvicorn" else _framework(folder, port)
    with _process(command, folder, f"http://127.0.0.1:{port}/") as served:
        yield served


def _rows(
    rate: dict[str, float], median: dict[str, float], own: dict[str, float], all_us: dict[str, float]
) -> list[dict[str, object]]:
    def row(name: str, value: float, unit: str, target: str = "", ok: bool = True) -> dict[str, object]:
        return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}

    framework = rate["relive"] / rate["functions-framework"]
    uvicorn = rate["relive"] / rate["uvicorn"]
    latency = median["relive"] / median["functions-framework"]
    return [
        *(row(f"http.{name}.16_clients", value, "requests/s") for name, value in rate.items()),
        *(row(f"http.{name}.1_client_p50", value, "ms") for name, value in median.items()),
        row(
            "http.over_functions_framework",
            framework,
            "x",
            f">= {TARGET_FRAMEWORK}",
            framework >= TARGET_FRAMEWORK,
        ),
        row("http.uvicorn.cpu", own["uvicorn"], "us CPU/request"),
        row("http.relive.cpu, server", own["relive"], "us CPU/request"),
        row("http.relive.cpu, with worker, collector and store", all_us["relive"], "us CPU/request"),
        row("http.share_of_uvicorn", uvicorn, "x", f">= {TARGET_UVICORN}", uvicorn >= TARGET_UVICORN),
        row("http.p50_over_functions_framework", latency, "x", "<= 1", latency <= 1),
    ]


if __name__ == "__main__":
    for found in run(quick="--quick" in sys.argv):
        print(found)
