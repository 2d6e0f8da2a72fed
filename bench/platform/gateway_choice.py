"""Which HTTP server should carry the gateway: uvicorn, granian and hypercorn with the same applications.

"plain" answers at once; "handoff" gives each request to another process over a socket pair and answers with
what comes back, as the gateway does with a worker. One process and one thread of application code each, raw
ASGI, uvloop, HTTP/1.1 with keep-alive. The servers run side by side and are loaded in turn, several rounds;
medians. CPU per request is of the server's processes, without the other process of the handoff: it is what a
second core for wrk or for the server's own threads cannot hide. "uvicorn's protocol" is what the gateway does
with it (its listener answers complete requests without a task): only a server written in Python can be
opened like that.

granian and hypercorn are no dependencies of the project: they are installed into an environment that is
thrown away.
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
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

__all__ = ["run"]

Row = dict[str, object]
CLIENTS = 16
PEERS = ("granian", "hypercorn")
INSTALL_LIMIT_S = 120.0
START_LIMIT_S = 30.0
_TICK = os.sysconf("SC_CLK_TCK")

APPLICATIONS = '''
import asyncio, os, socket, struct, subprocess, sys

HEADERS = [(b"content-length", b"5"), (b"content-type", b"text/plain")]
START = {"type": "http.response.start", "status": 200, "headers": HEADERS}

async def plain(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    await send(START)
    await send({"type": "http.response.body", "body": b"hello"})

class Handoff:
    """Frames to another process; the answers come back in the same order."""

    def __init__(self):
        self.waiting = None

    def connect(self):
        from collections import deque
        self.waiting, self.rest = deque(), b""
        ours, theirs = socket.socketpair()
        code = __file__.replace("applications", "other_process")
        subprocess.Popen([sys.executable, code, str(theirs.fileno())], pass_fds=[theirs.fileno()],
                         start_new_session=True)
        theirs.close()
        ours.setblocking(False)
        self.socket = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self.read)

    def begin(self, path, answered):
        if self.waiting is None:
            self.connect()
        data = path.encode()
        self.waiting.append(answered)
        self.socket.send(struct.pack("!I", len(data)) + data)

    def read(self):
        data = self.rest + self.socket.recv(65_536)
        at = 0
        while len(data) - at >= 4:
            size = int.from_bytes(data[at : at + 4], "big")
            if len(data) - at - 4 < size:
                break
            self.waiting.popleft()(data[at + 4 : at + 4 + size])
            at += 4 + size
        self.rest = data[at:]

other = Handoff()

async def handoff(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    future = asyncio.get_running_loop().create_future()
    other.begin(scope["path"], lambda body: future.done() or future.set_result(body))
    body = await future
    await send(START)
    await send({"type": "http.response.body", "body": body})
'''

OTHER_PROCESS = """
import socket, struct, sys

connection = socket.socket(fileno=int(sys.argv[1]))
rest = b""
while data := connection.recv(65_536):
    rest += data
    answers = []
    while len(rest) >= 4 and len(rest) - 4 >= (size := int.from_bytes(rest[:4], "big")):
        rest = rest[4 + size :]
        answers.append(struct.pack("!I", 5) + b"hello")
    connection.sendall(b"".join(answers))
"""

LISTENER = """
import asyncio, sys
import uvloop
from applications import HEADERS, other
from relive_platform.triggers.http.connections.listener import HttpListener
from relive_platform.triggers.http.responses import Response

HEAD = b"".join(b"%s: %s\\r\\n" % pair for pair in HEADERS)

class Plain:
    def begin(self, head, body, exchange):
        exchange.respond(Response(200, HEAD, b"hello"))
        return True

class Handoff:
    def begin(self, head, body, exchange):
        other.begin(head.path, lambda body: exchange.respond(Response(200, HEAD, body)))
        return True

async def main():
    listener = HttpListener({"plain": Plain, "handoff": Handoff}[sys.argv[1]]())
    await listener.start("127.0.0.1", int(sys.argv[2]))
    await asyncio.Event().wait()

uvloop.run(main())
"""


@dataclass
class Figures:
    """One server with one application: a value a round."""

    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)


class NotMeasured(Exception):
    """A server that could not be installed or started, and why."""


def _commands(python: Path | None) -> dict[str, list[str]]:
    """Server to its command line; {app} and {port} are filled in later."""
    uvicorn = [sys.executable, "-m", "uvicorn", "applications:{app}", "--port", "{port}", "--no-access-log"]
    found = {
        "uvicorn": [*uvicorn, "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"],
        "uvicorn's protocol": [sys.executable, "listener.py", "{app}", "{port}"],
    }
    if python is not None:
        found["granian"] = [
            str(python), "-m", "granian", "--interface", "asginl", "--port", "{port}", "--workers", "1",
            "--runtime-threads", "1", "--loop", "uvloop", "--http", "1", "--no-ws", "--log-level", "warning",
            "applications:{app}",
        ]  # fmt: skip
        found["hypercorn"] = [
            str(python), "-m", "hypercorn", "--bind", "127.0.0.1:{port}", "--workers", "1",
            "--worker-class", "uvloop", "--log-level", "warning", "applications:{app}",
        ]  # fmt: skip
    return found


def _install(folder: Path) -> Path:
    """The interpreter of a new environment that has the peers. Raises NotMeasured."""
    import uv

    python = folder / "venv" / "bin" / "python"
    tool = uv.find_uv_bin()
    loop = f"uvloop=={version('uvloop')}"
    for command in (
        [tool, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder / "venv")],
        [tool, "pip", "install", "--quiet", "--python", str(python), *PEERS, loop],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
            raise NotMeasured(f"could not be installed: {last}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotMeasured(f"could not be installed: {error}") from error
    return python


def _versions(python: Path | None) -> dict[str, str]:
    found = {"uvicorn": version("uvicorn")}
    if python is not None:
        code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
        told = subprocess.run([str(python), "-c", code, *PEERS], capture_output=True, text=True, check=True)
        found.update(zip(PEERS, told.stdout.split(), strict=True))
    return found


# ---------------------------------------------------------------- servers


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _served(command: list[str], app: str, folder: Path) -> Iterator[tuple[int, str]]:
    """A server that answers: its session and its address. Raises NotMeasured."""
    port = _free_port()
    filled = [part.replace("{app}", app).replace("{port}", str(port)) for part in command]
    url = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryFile(dir=folder) as log:
        process = subprocess.Popen(
            filled,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(folder)},
            start_new_session=True,
        )
        try:
            try:
                _wait(url, process)
            except NotMeasured as error:
                log.seek(0)
                lines = log.read().decode(errors="replace").strip().splitlines()
                raise NotMeasured(f"{error}: {lines[-1] if lines else 'it said nothing'}") from None
            yield process.pid, url
        finally:
            _stop(process)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                if response.read() == b"hello":
                    return
                raise NotMeasured("it gave a wrong answer")
        except OSError as error:
            if process.poll() is not None:
                raise NotMeasured(f"it ended with status {process.returncode}") from None
            if time.monotonic() > deadline:
                raise NotMeasured(f"no answer within {START_LIMIT_S:g} s ({error})") from None
            time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _cpu_s(session: int) -> float:
    """CPU of every process of a session, in seconds: some servers have a parent and a worker."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


# ---------------------------------------------------------------- load


def _load(url: str, clients: int, seconds: int) -> tuple[float, float, int]:
    """Requests per second, median latency in ms, requests."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text)
    if bad:
        raise RuntimeError(f"{url}: {bad[0]}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    latency = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    count = re.search(r"(\d+) requests in", text)
    if rate is None or latency is None or count is None:
        raise RuntimeError(f"wrk gave no figures: {text}")
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[latency[2]]
    return float(rate[1]), float(latency[1]) * scale, int(count[1])


def _turn(session: int, url: str, seconds: int, into: Figures) -> None:
    began = _cpu_s(session)
    rate, _, count = _load(url, CLIENTS, seconds)
    into.cpu_us.append((_cpu_s(session) - began) * 1e6 / max(count, 1))
    into.rate.append(rate)
    into.p50_ms.append(_load(url, 1, seconds)[1])


def _measure(
    app: str, commands: dict[str, list[str]], folder: Path, rounds: int, seconds: int
) -> tuple[dict[str, Figures], dict[str, str]]:
    """Figures of the servers that ran, and why the others did not."""
    figures: dict[str, Figures] = {}
    failed: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        running: dict[str, tuple[int, str]] = {}
        for name, command in commands.items():
            try:
                running[name] = stack.enter_context(_served(command, app, folder))
            except NotMeasured as error:
                failed[name] = str(error)
        for _, url in running.values():
            _load(url, CLIENTS, 1)
        for number in range(rounds):
            turn = list(running.items())
            for name, (session, url) in turn if number % 2 == 0 else reversed(turn):
                _turn(session, url, seconds, figures.setdefault(name, Figures()))
    return figures, failed


# ---------------------------------------------------------------- rows


def _rows(app: str, figures: dict[str, Figures], failed: dict[str, str], labels: dict[str, str]) -> list[Row]:
    rows: list[Row] = []
    base = figures.get("uvicorn")
    for name, found in figures.items():
        label = f"gateway, {app}, {labels.get(name, name)}"
        rate, cpu, p50 = (statistics.median(column) for column in (found.rate, found.cpu_us, found.p50_ms))
        rows += [
            _row(f"{label}: {CLIENTS} clients", rate, "requests/s"),
            _row(f"{label}: {CLIENTS} clients, CPU", cpu, "us/request"),
            _row(f"{label}: 1 client, p50", p50, "ms"),
        ]
        if base is not None and found is not base:
            rows += [
                _row(f"{label}: rate over uvicorn's", _ratio(found.rate, base.rate), "x"),
                _row(f"{label}: CPU over uvicorn's", _ratio(found.cpu_us, base.cpu_us), "x"),
                _row(f"{label}: p50 over uvicorn's", _ratio(found.p50_ms, base.p50_ms), "x"),
            ]
    for name, reason in failed.items():
        rows.append(_missing(f"gateway, {app}, {name}", reason))
    return rows


def _ratio(found: list[float], base: list[float]) -> float:
    """Median of the rounds' ratios."""
    return statistics.median(one / max(other, 1e-9) for one, other in zip(found, base, strict=True))


def _row(name: str, value: float, unit: str) -> Row:
    return {"name": name, "value": round(value, 3), "unit": unit, "target": "", "ok": None}


def _missing(name: str, reason: str) -> Row:
    return {"name": name, "value": None, "unit": f"not measured: {reason}", "target": "", "ok": None}


def run(quick: bool = False) -> list[Row]:
    """Each application under each server: rate, CPU a request, latency, and their ratios to uvicorn."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is needed to make the load: apt-get install wrk")
    rounds, seconds = (3, 1) if quick else (5, 3)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="rl-gw-") as name:
        folder = Path(name)
        for file, text in (
            ("applications", APPLICATIONS),
            ("other_process", OTHER_PROCESS),
            ("listener", LISTENER),
        ):
            (folder / f"{file}.py").write_text(text)
        python: Path | None = None
        try:
            python = _install(folder)
        except NotMeasured as error:
            rows += [_missing(f"gateway, {peer}", str(error)) for peer in PEERS]
        labels = {server: f"{server} {number}" for server, number in _versions(python).items()}
        for app in ("plain", "handoff"):
            rows += _rows(app, *_measure(app, _commands(python), folder, rounds, seconds), labels)
    return rows


if __name__ == "__main__":
    for line in run(quick="--quick" in sys.argv):
        print(line)
