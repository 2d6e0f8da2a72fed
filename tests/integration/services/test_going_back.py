"""Failed requests of services are gone back in: the steps of their own code, whatever runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import fastapi
import pytest
import pytest_asyncio
from relive_capture.explore.scene import read_scene
from relive_platform.replay import ReplayOptions, replay
from relive_platform.replay.model import SAME
from server_harness import Served, served, write_app

pytestmark = pytest.mark.asyncio(loop_scope="module")
SOURCE = """
import asyncio, time

PRICES = {"ink": 300}
ticks = []


async def ticking():
    while True:
        await asyncio.sleep(0.01)
        ticks.append(time.time())


def price(sku):
    time.sleep(0.2)
    found = PRICES.get(sku)
    return found


async def total(sku, count):
    await asyncio.sleep(30 if sku == "late" else 0.05)
    found = await asyncio.to_thread(price, sku)
    return found * count


async def answer(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        app.task = asyncio.create_task(ticking())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        app.task.cancel()
        await send({"type": "lifespan.shutdown.complete"})
        return
    sku = scope["query_string"].decode()
    sums = await asyncio.gather(total("ink", 2), total(sku, 3))
    await answer(send, str(sums).encode())


def plain(environ, start_response):
    sku = environ["QUERY_STRING"]
    found = price(sku)
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(found * 2).encode()]


def parts(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    yield b"total: "
    found = price(environ["QUERY_STRING"])
    yield str(found * 2).encode()
"""
LINE = SOURCE[: SOURCE.index("found = PRICES")].count("\n") + 1
FUNCTIONS = """
[functions.shop]
handler = "app:app"
kind = "service"
timeout_s = 5

[functions.plain]
handler = "app:plain"
kind = "service"

[functions.parts]
handler = "app:parts"
kind = "service"

[functions.api]
handler = "api:api"
kind = "service"
isolation_tier = 0
"""
API = """
import sys
sys.path.append(LIBRARIES)
from fastapi import Depends, FastAPI
import app

api = FastAPI()


def found(sku: str):
    price = app.PRICES.get(sku)
    return price


@api.get("/{sku}")
def cents(sku: str, price=Depends(found)):
    total = price * 2
    return {"cents": total}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def going(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("going")
    async with served(folder / "home") as running:
        application = write_app(folder / "app", SOURCE, FUNCTIONS)
        libraries = str(Path(fastapi.__file__).parents[1])
        (application / "api.py").write_text(API.replace("LIBRARIES", repr(libraries)))
        await running.deploy(application)
        yield running


def _saying(lines: list[str], shown: list[str]) -> Callable[[Any], None]:
    """A person in a debugging session."""

    def talk(call: Any) -> None:
        left = list(lines)
        while True:
            event = call.next(60.0)
            assert event is not None
            part = event.WhichOneof("part")
            if part == "ended":
                return
            if part == "text":
                shown.append(event.text.text)
                if event.text.prompt:
                    call.send_line(left.pop(0) if left else "q")

    return talk


async def _gone_back(services: Served, answer: Any, lines: list[str]) -> tuple[str, str]:
    """What a session of the failed request shows, and how its replay came out."""
    path = services.server.settings.home / "scenes" / f"{answer.headers['x-relive-invocation-id']}-1.scene"
    await services.until(path.is_file)  # the store, which is slow on a busy machine, is not asked
    scene = read_scene(path)
    shown: list[str] = []
    options = ReplayOptions(travel=True, debug=_saying(lines, shown))
    outcome = await asyncio.to_thread(replay, scene, services.server.settings.home, options)
    shown += [f"{found.what}: {found.recorded} | {found.replayed}" for found in outcome.runs[0].differences]
    return "".join(shown), outcome.runs[0].outcome


async def test_a_request_of_asgi_is_gone_back_in(going: Served) -> None:
    # Given a request whose task, and what it gave to a thread, led to a failure, in an application that ticks
    failed = await going.http("GET", "/fn/shop/?pen")

    # When somebody goes back from it
    lines = [
        "rs",
        "p sku, count, found",
        "origin found",
        "end",
        f"b {LINE}",
        "rc",
        "p sku",
        "p len(ticks) > 0",
        "again 2",
    ]
    shown, outcome = await _gone_back(going, failed, lines)

    # I expect the same failure, its values, and code that ran in a thread among its steps
    assert outcome == SAME, shown
    assert "('pen', 3, None)" in shown
    assert "'pen'\n" in shown
    assert "True\n" in shown

    # ... and each run to go the same way: the ticks are not its own
    assert "2 more runs went the same way, step by step" in shown
    assert "ticks.append" not in shown


@pytest.mark.parametrize("name", ["plain", "parts"])
async def test_a_request_of_wsgi_is_gone_back_in(going: Served, name: str) -> None:
    # Given a request that failed in the application, or while its answer was made
    failed = await going.http("GET", f"/fn/{name}/?pen")

    # When somebody goes back from it
    shown, outcome = await _gone_back(
        going, failed, ["rs", "p found", "values found", "start", "trail", "again 2"]
    )

    # I expect the same failure, and its values
    assert outcome == SAME, shown
    assert "None\n" in shown
    assert f"in {name}" in shown
    assert "2 more runs went the same way, step by step" in shown


async def test_what_fastapi_runs_in_threads_is_gone_back_in(going: Served) -> None:
    # Given a plain endpoint of FastAPI, which like its dependency runs in a thread of AnyIO's, and failed
    failed = await going.http("GET", "/fn/api/pen")

    # When somebody goes back from it
    lines = ["rs", "p sku, price", "origin price", "end", "why", "start", "trail", "again 2"]
    shown, outcome = await _gone_back(going, failed, lines)

    # I expect the lines of both among its steps, and where the value arose
    assert outcome == SAME, shown
    assert "('pen', None)" in shown
    assert "price = app.PRICES.get(sku)" in shown
    assert "in found" in shown
    assert "2 more runs went the same way, step by step" in shown


async def test_a_request_that_took_too_long_is_gone_back_in(going: Served) -> None:
    # Given a request that slept until its limit
    failed = await going.http("GET", "/fn/shop/?late")

    # When it is gone back in, by a clock that does not wait
    shown, outcome = await _gone_back(going, failed, ["rs", "p sku", "again 1"])

    # I expect the limit to strike where it slept
    assert outcome == SAME, shown
    assert "1 more run went the same way" in shown
