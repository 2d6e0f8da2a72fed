"""A server with a few functions behind its gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from server_harness import Served, served, write_app

__all__ = ["gateway"]

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

def nap(request):
    time.sleep(0.3)
    return "rested"

def big(request):
    return "x" * 1_000_000
"""
FUNCTIONS = "".join(
    f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\nkind = "http"\n'
    "timeout_s = 0.5\nmax_workers = 1\n"
    for name in ("web", "busy", "odd", "hops", "empty", "fails", "dies", "slow", "nap", "big")
) + (
    '[functions.event]\nsource = "."\nhandler = "app:event"\n'
    '[[functions.event.triggers]]\ntype = "http"\npath = "/orders/{id}"\nmethods = ["GET", "POST"]\n'
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One for all tests of a module. Small limits, so that tests of them are quick."""
    folder = tmp_path_factory.mktemp("gateway")
    app = write_app(folder / "app", SOURCE, FUNCTIONS)
    limits = {
        "body_limit_bytes": 100_000,
        "header_timeout_s": 0.5,
        "body_timeout_s": 0.7,
        "wait_limit_s": 0.2,
        "keep_alive_s": 1.0,
    }
    async with served(folder / "home", **limits) as running:
        await running.deploy(app)
        yield running
