"""A hostile package in a zygote: what it runs as it is imported, and by a .pth file, finds nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hostile_package import hostile_sdist, loot
from relive_runtime.isolation import landlock, seccomp
from relive_runtime.isolation.family import probe_family
from relive_runtime.isolation.spaces import probe_spaces
from server_harness import Served, served, write_app

pytestmark = pytest.mark.skipif(
    not (landlock.guards_signals(landlock.abi_version()) and seccomp.available()),
    reason="this kernel has not all of the sandbox",
)

APP = """
import os, sys
import hostile

def handler(event, context):
    if event.get("tmp"):
        return files(event["tmp"])
    found = {name: getattr(hostile, name) for name in ("BUILT", "IMPORTED", "BY_PTH")}
    return found | {"preloaded": hostile.PID != os.getpid()}

def files(name):
    before = os.listdir("/tmp")
    os.makedirs(f"/tmp/{name}/inner")
    with open(f"/tmp/{name}/inner/file", "w") as file:
        file.write(name)
    os.chmod(f"/tmp/{name}/inner", 0)
    return [item for item in before if not item.startswith("pytest")]
"""
FUNCTIONS = """
[functions.first]
handler = "app:handler"
source = "."
timeout_s = 20
[functions.second]
handler = "app:handler"
source = "."
timeout_s = 20
"""


def _write_app(folder: Path, job: dict[str, Any]) -> Path:
    app = write_app(folder, APP, FUNCTIONS)
    hostile_sdist(app, job)
    (app / "requirements.txt").write_text("./hostile\n")
    return app


TIERS = [1] if probe_family() else [1, 2]


@pytest.fixture(params=TIERS)
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async with served(tmp_path / "home", max_workers=4, isolation_tier=request.param) as started:
        yield started


async def _ask(running: Served, function: str, event: dict[str, Any]) -> Any:
    outcome = await running.invoke(function, msgspec.json.encode(event))
    assert outcome.record.status == "ok", outcome.body
    assert outcome.record.isolation_tier == running.server.settings.isolation_tier
    return msgspec.json.decode(outcome.body)


async def test_what_is_imported_in_a_zygote_finds_nothing(running: Served, tmp_path: Path) -> None:
    # Given two functions with a hostile dependency, and a home with secrets
    with loot(running.server.home) as found:
        await running.deploy(_write_app(tmp_path / "app", found.job()))
        # When a worker of each is asked what its zygote has seen
        for function in ("first", "second"):
            told = await _ask(running, function, {})
            # I expect that the package was imported there, and that it has found nothing at any time
            assert told["preloaded"]
            for when in ("BUILT", "IMPORTED", "BY_PTH"):
                found.assert_safe(told[when])
    # and that one zygote serves both
    assert len(running.server.engine.zygotes.pids()) == 1


@pytest.mark.skipif(bool(probe_spaces()), reason="no mount namespaces here")
async def test_each_worker_of_a_confined_zygote_has_an_empty_tmp(running: Served, tmp_path: Path) -> None:
    # Given workers of two functions of one confined zygote
    with loot(running.server.home) as found:
        await running.deploy(_write_app(tmp_path / "app", found.job()))
    # When they write to /tmp, I expect that none sees another's files
    assert await _ask(running, "first", {"tmp": "a"}) == []
    assert await _ask(running, "second", {"tmp": "b"}) == []
    # and that the next worker finds an empty folder again
    for worker in list(running.server.engine.host.workers.values()):
        os.kill(worker.pid, signal.SIGKILL)
    await running.until(lambda: not running.server.engine.host.workers)
    assert await _ask(running, "first", {"tmp": "c"}) == []
