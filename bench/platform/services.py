"""Services, everything recorded, against the servers that such applications have elsewhere, in one run: raw
ASGI and FastAPI against uvicorn, Flask against gunicorn with threads.

Requests per second need a quiet machine. CPU time of a request is worth something on a busy one, too.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from warm_http import _free_port, _load, _load_measured, _process

__all__ = ["run"]

ROUNDS = 3
THREADS = 16
TARGETS = {"raw": 0.6, "fast": 1.0, "flask": 1.2}
PEER = {"raw": "uvicorn", "fast": "uvicorn", "flask": "gunicorn"}
_RAW = """async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    head = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"ok"})
"""
_FAST = """from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root():
    return {"hello": "world"}


@app.get("/burn/{ms}")
async def burn(ms: float):
    import time
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        sum(range(50))
    return {"burnt": ms}
"""
_FLASK = """from flask import Flask

app = Flask("bench")


@app.get("/")
def root():
    return {"hello": "world"}
"""
SOURCES = {"raw": _RAW, "fast": _FAST, "flask": _FLASK}
NEEDS = {"raw": ("uvloop",), "fast": ("fastapi", "uvloop"), "flask": ("flask",)}


def _write(folder: Path) -> None:
    tables = ['[app]\nname = "bench"\n']
    for name, source in SOURCES.items():
        (folder / "app" / name).mkdir(parents=True)
        (folder / "app" / name / "main.py").write_text(source)
        (folder / name).mkdir()
        (folder / name / "main.py").write_text(source)
        needs = ", ".join(f'"{one}=={version(one)}"' for one in NEEDS[name])
        tables.append(
            f'[functions.{name}]\nkind = "service"\nsource = "{name}"\napp = "main:app"\n'
            f"capacity = {THREADS if name == 'flask' else 100}\nmax_workers = 1\ndependencies = [{needs}]\n"
        )
    (folder / "app" / "relive.toml").write_text("".join(tables))


def _command(name: str, port: int) -> list[str]:
    if PEER[name] == "gunicorn":
        options = ["--workers", "1", "--threads", str(THREADS), "--log-level", "error"]
        return [sys.executable, "-m", "gunicorn", "main:app", "--bind", f"127.0.0.1:{port}", *options]
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port), "--no-access-log"]
    return [*command, "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]


@contextlib.contextmanager
def _relive(folder: Path, port: int) -> Iterator[int]:
    from relive_platform.registry import Registry

    home = folder / "home"
    registry = Registry(home)
    registry.deploy(folder / "app")
    registry.close()
    env = {"RELIVE_HOME": str(home), "RELIVE_HTTP": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "relive_platform.server.serving"]
    with _process(command, folder, f"http://127.0.0.1:{port}/fn/raw/", env) as (_, pid):
        for name in SOURCES:
            _answers(f"http://127.0.0.1:{port}/fn/{name}/")
        yield pid


def _answers(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                response.read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _attribution(folder: Path, port: int, seconds: float) -> float:
    """By how many points the shares of CPU samples of three kinds of requests, which run beside each other in
    one worker, differ from the truth at most."""
    import asyncio

    shares = {"40": 0.0, "10": 0.0, "3": 0.0}

    async def ask(ms: str) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"GET /fn/fast/burn/{ms} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
            )
            answer = await reader.read()
            writer.close()
            if b"200 OK" in answer:
                shares[ms] += float(ms)

    async def all_of_them() -> None:
        await asyncio.gather(*(ask(ms) for ms in shares for _ in range(2)))

    asyncio.run(all_of_them())
    home = str(folder / "home")
    time.sleep(4)
    sql = (
        "SELECT i.HttpPath, sum(arraySum(p.CpuNs)) FROM profiles p JOIN invocations i"
        " ON p.InvocationId = i.InvocationId WHERE i.HttpPath LIKE '/fn/fast/burn/%' GROUP BY 1"
    )
    text = subprocess.run(
        [str(Path(sys.executable).parent / "relive"), "sql", sql, "--json"],
        env={"RELIVE_HOME": home, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    seen = dict.fromkeys(shares, 0.0)
    for line in text.splitlines():
        path, cpu_ns = json.loads(line).values()
        seen[path.rpartition("/")[2]] = float(cpu_ns)
    truth, sampled = sum(shares.values()), sum(seen.values())
    return max(abs(shares[ms] / truth - seen[ms] / sampled) * 100 for ms in shares)


def run(quick: bool = False) -> list[dict[str, object]]:
    """The peers and a server of Relive run side by side and are loaded one after the other, several rounds;
    medians."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is needed: apt-get install wrk")
    seconds = 2.0 if quick else 5.0
    folder = Path(tempfile.mkdtemp(prefix="relive-bench-"))
    _write(folder)
    rates: dict[tuple[str, str], list[float]] = {}
    cpu: dict[tuple[str, str], list[float]] = {}
    points = 0.0
    try:
        with contextlib.ExitStack() as stack:
            port = _free_port()
            pid = stack.enter_context(_relive(folder, port))
            targets = {(name, "relive"): (f"http://127.0.0.1:{port}/fn/{name}/", pid) for name in SOURCES}
            for name in SOURCES:
                own = _free_port()
                started = _process(_command(name, own), folder / name, f"http://127.0.0.1:{own}/")
                targets[name, PEER[name]] = stack.enter_context(started)
            for url, _ in targets.values():
                _load(url, 4, 1)
            for _ in range(1 if quick else ROUNDS):
                for key, (url, own_pid) in sorted(targets.items()):
                    rate, _, all_us = _load_measured(url, own_pid, seconds)
                    rates.setdefault(key, []).append(rate)
                    cpu.setdefault(key, []).append(all_us)
            points = _attribution(folder, port, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _rows(rates, cpu, points)


def _rows(
    rates: dict[tuple[str, str], list[float]], cpu: dict[tuple[str, str], list[float]], points: float
) -> list[dict[str, object]]:
    def row(name: str, value: float, unit: str, target: str = "", ok: bool = True) -> dict[str, object]:
        return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}

    rows = []
    for name in SOURCES:
        ratios = [
            ours / theirs for ours, theirs in zip(rates[name, "relive"], rates[name, PEER[name]], strict=True)
        ]
        for key in ((name, PEER[name]), (name, "relive")):
            rows.append(row(f"service.{name}.{key[1]}", statistics.median(rates[key]), "requests/s"))
            rows.append(row(f"service.{name}.{key[1]}.cpu", statistics.median(cpu[key]), "us CPU/request"))
        ratio, target = statistics.median(ratios), TARGETS[name]
        rows.append(row(f"service.{name}.share_of_{PEER[name]}", ratio, "x", f">= {target}", ratio >= target))
    rows.append(row("service.attribution of samples", points, "points off", "<= 5", points <= 5))
    return rows


if __name__ == "__main__":
    for found in run(quick="--quick" in sys.argv):
        print(found)
