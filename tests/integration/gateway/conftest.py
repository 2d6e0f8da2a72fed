"""Servers with a few functions behind their gateway: one has patience, one has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from gate import Gate
from server_harness import Served, served, write_app

__all__ = ["gate", "gateway", "hasty"]

SOURCE = """
import json, os, time

def web(request):
    return {"method": request.method, "path": request.path, "body": request.get_data(as_text=True),
            "query": request.args.to_dict(), "header": request.headers.get("x-test"),
            "from": request.remote_addr}

def busy(request):
    return {"error": "maintenance"}, 503, {"retry-after": "9"}


def odd(request):
    return "x", 200, {"x-evil": "a\\r\\nset-cookie: b", "connection": "close"}

def hops(request):
    return "x", 201, {"transfer-encoding": "chunked", "keep-alive": "1", "x-kept": "yes"}

def empty(request):
    return "", 204

def event(event, context):
    source = event["requestContext"]["http"]["sourceIp"]
    return {"statusCode": 202, "headers": {"x-shape": event["version"], "x-source": source},
            "body": event["rawPath"]}

def fails(request):
    raise ValueError("no such basket")

def dies(request):
    os._exit(4)

def slow(request):
    time.sleep(30)

def held(request):
    while not os.path.exists(request.args["go"]):
        time.sleep(0.005)
    return "let go"

def big(request):
    return "x" * 1_000_000
"""
FUNCTIONS = "".join(
    f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\nkind = "http"\n'
    f"timeout_s = {0.5 if name == 'slow' else 60}\nmax_workers = 1\n"
    f"{'isolation_tier = 0' if name == 'held' else ''}\n"
    for name in ("web", "busy", "odd", "hops", "empty", "fails", "dies", "slow", "held", "big")
) + (
    '[functions.event]\nsource = "."\nhandler = "app:event"\n'
    '[[functions.event.triggers]]\ntype = "http"\npath = "/orders/{id}"\nmethods = ["GET", "POST"]\n'
)


HASTY = {
    "header_timeout_s": 0.5,
    "body_timeout_s": 0.7,
    "wait_limit_s": 0.2,
    "keep_alive_s": 1.0,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One for all tests of a module. Bodies have a small limit; no time is short, on whatever machine."""
    async with _running(tmp_path_factory, {"body_timeout_s": 60.0, "header_timeout_s": 60.0}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One whose limits of time are small, for the tests of what happens at them."""
    async with _running(tmp_path_factory, HASTY) as running:
        yield running


@asynccontextmanager
async def _running(factory: pytest.TempPathFactory, limits: dict[str, float]) -> AsyncIterator[Served]:
    folder = factory.mktemp("gateway")
    app = write_app(folder / "app", SOURCE, FUNCTIONS)
    async with served(folder / "home", body_limit_bytes=100_000, **limits) as running:
        await running.deploy(app)
        yield running


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Closed."""
    return Gate(tmp_path / "go")
