"""Websockets and gRPC services: everything recorded, against uvicorn and a direct server, in one run."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

__all__ = ["run"]

ROUNDS = 3
TARGET_WEBSOCKETS = 0.9  # of uvicorn's round trips
TARGET_GRPC = 0.8  # of a direct server's calls
_LOAD = Path(__file__).with_name("_socket_load.py")
_TOML = """[app]
name = "bench"
[functions.echo]
source = "echo"
kind = "service"
app = "echo:app"
max_workers = 1
timeout_s = 30
[functions.rpc]
source = "rpc"
kind = "grpc"
handler = "rpc:serve"
max_workers = 1
timeout_s = 30
memory_mb = 512
[[functions.rpc.triggers]]
type = "grpc"
port = {port}
"""
_ECHO = """async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})
"""
_RPC = """import asyncio, os
import grpc, grpc.aio

async def say(request, context):
    return request

async def serve():
    server = grpc.aio.server()
    handlers = {"Say": grpc.unary_unary_rpc_method_handler(say)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Echo", handlers),))
    server.add_insecure_port(os.environ.get("ADDRESS", "[::]:50051"))
    await server.start()
    await server.wait_for_termination()

if __name__ == "__main__":
    asyncio.run(serve())
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def _process(command: list[str], folder: Path, port: int, env: dict[str, str]) -> Iterator[int]:
    """The process id of a server that listens."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **env}, start_new_session=True
        )
    try:
        _wait(port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _load(kind: str, where: str, clients: int, seconds: float) -> tuple[float, float]:
    """Round trips per second, and their median latency in ms."""
    command = [sys.executable, str(_LOAD), kind, where, str(clients), str(seconds)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    count, spent, latency = map(float, text.split())
    return count / spent, latency


@contextlib.contextmanager
def _relive(folder: Path) -> Iterator[tuple[int, int]]:
    """A whole server; the ports of its gateway and of its gRPC service."""
    from relive_platform.registry import Registry

    http, rpc = _free_port(), _free_port()
    app = folder / "app"
    (app / "rpc").mkdir(parents=True)
    (app / "echo").mkdir()
    (app / "relive.toml").write_text(_TOML.format(port=rpc))
    (app / "echo" / "echo.py").write_text(_ECHO)
    (app / "echo" / "requirements.txt").write_text(f"uvloop=={version('uvloop')}\n")  # as its peer has it
    (app / "rpc" / "rpc.py").write_text(_RPC)
    (app / "rpc" / "requirements.txt").write_text(f"grpcio=={version('grpcio')}\n")
    registry = Registry(folder / "home")
    registry.deploy(app)
    registry.close()
    env = {"RELIVE_HOME": str(folder / "home"), "RELIVE_HTTP": f"127.0.0.1:{http}"}
    with _process([sys.executable, "-m", "relive_platform.server.serving"], folder, http, env):
        _wait(rpc)
        yield http, rpc


@contextlib.contextmanager
def _peers(folder: Path) -> Iterator[tuple[int, int]]:
    """uvicorn and a direct server of gRPC."""
    http, rpc = _free_port(), _free_port()
    (folder / "echo.py").write_text(_ECHO)
    (folder / "rpc.py").write_text(_RPC)
    uvicorn = [sys.executable, "-m", "uvicorn", "echo:app", "--port", str(http), "--no-access-log"]
    uvicorn += ["--log-level", "warning", "--loop", "uvloop", "--ws", "websockets-sansio"]
    direct = [sys.executable, "rpc.py"]
    with (
        _process(uvicorn, folder, http, {}),
        _process(direct, folder, rpc, {"ADDRESS": f"127.0.0.1:{rpc}"}),
    ):
        yield http, rpc


def _measure(
    kind: str, ours: str, theirs: str, clients: int, seconds: float, rounds: int
) -> tuple[float, ...]:
    """Rates and latencies of both, interleaved: the medians of the rounds."""
    figures: list[list[float]] = [[], [], [], []]
    for where in (ours, theirs):
        _load(kind, where, clients, min(seconds, 1.0))  # warm
    for _ in range(rounds):
        for place, where in ((0, ours), (2, theirs)):
            rate, latency = _load(kind, where, clients, seconds)
            figures[place].append(rate)
            figures[place + 1].append(latency)
    return tuple(statistics.median(values) for values in figures)


def run(quick: bool) -> list[dict[str, object]]:
    """One row a figure."""
    seconds, rounds = (1.0, 1) if quick else (4.0, ROUNDS)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "peers").mkdir()
        (root / "relive").mkdir()
        with _relive(root / "relive") as (http, rpc), _peers(root / "peers") as (uvicorn, direct):
            plans = (
                ("websocket", "ws", "ws://127.0.0.1:{}{}", http, uvicorn, "uvicorn", TARGET_WEBSOCKETS),
                ("gRPC unary", "grpc", "127.0.0.1:{}", rpc, direct, "direct server", TARGET_GRPC),
            )
            for title, kind, form, mine, other, peer, target in plans:
                for clients in (1, 16):
                    ours, theirs = form.format(mine, "/fn/echo/"), form.format(other, "/")
                    mine_s, mine_ms, other_s, other_ms = _measure(
                        kind, ours, theirs, clients, seconds, rounds
                    )
                    what = f"{title}, {clients} client{'s' if clients > 1 else ''}"
                    share = mine_s / other_s
                    aimed = target if clients > 1 else None
                    rows += [
                        _row(f"{what}: Relive", mine_s, f"round trips/s (p50 {mine_ms:.2f} ms)"),
                        _row(f"{what}: {peer}", other_s, f"round trips/s (p50 {other_ms:.2f} ms)"),
                        _row(f"{what}: share of {peer}", share, "x", aimed, share >= (aimed or 0.0)),
                    ]
    return rows


def _row(
    name: str, value: float, unit: str, target: float | None = None, ok: bool | None = None
) -> dict[str, object]:
    aimed = f">= {target:g} x" if target is not None else ""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "target": aimed,
        "ok": ok if aimed else None,
    }


def try_out() -> None:
    """That it starts: the load's program is there, and what it needs."""
    assert _LOAD.is_file()
    assert importlib.util.find_spec("uvicorn")
