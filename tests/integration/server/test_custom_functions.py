"""Functions of kind "custom" in a whole server: what is recorded of them, and what their failures leave."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from custom_programs import program
from relive_base.errors import Refused
from relive_base.parts import Why
from relive_capture.explore.scene import SceneFile, read_scene
from relive_platform.engine.invocation import Outcome
from relive_platform.registry import DeployError
from relive_platform.replay import ReplayError, ReplayOptions, replay
from relive_platform.replay.pytest_file import Code, pytest_file
from server_harness import Served, served

TOML = """
[functions.lab]
source = "lab"
timeout_s = 20
memory_mb = 128

[[functions.lab.triggers]]
type = "http"
path = "/lab/{name}"

[functions.quick]
source = "lab"
timeout_s = 0.4
"""


async def run(running: Served, act: str, name: str = "lab", **more: Any) -> Outcome:
    return await running.invoke(name, json.dumps({"act": act, **more}).encode())


async def scene_of(running: Served, outcome: Outcome) -> SceneFile:
    """As soon as it is there: what was ended at a limit is told of late on a busy machine."""
    folder = running.server.settings.home / "scenes"
    name = f"{outcome.record.invocation_id}-*.scene"
    await running.until(lambda: any(folder.glob(name)))
    return read_scene(next(folder.glob(name)))


def error_of(outcome: Outcome) -> tuple[str, str]:
    assert outcome.error is not None
    return outcome.error.type, outcome.record.status


async def test_a_program_in_a_whole_server(tmp_path: Path) -> None:
    program(tmp_path / "app" / "lab")
    (tmp_path / "app" / "relive.toml").write_text(TOML)
    async with served(tmp_path / "home") as running:
        await running.deploy(tmp_path / "app")

        # When it answers, over HTTP too
        good = await run(running, "echo", n=1)
        answer = await running.http("POST", "/lab/ada", json.dumps({"act": "echo"}).encode())

        # I expect invocation, span and line to be recorded as of any function
        assert good.ok
        assert json.loads(answer.body)["event"]["pathParameters"] == {"name": "ada"}
        invocation_id, trace_id = good.record.invocation_id, good.record.trace_id
        ((status, cpu_ns, cold),) = await running.rows(
            f"SELECT Status, CpuNs, Cold FROM invocations WHERE InvocationId = '{invocation_id}'"  # noqa: S608
        )
        assert (status, cold) == ("ok", True)
        assert cpu_ns > 0
        ((body,),) = await running.rows(
            f"SELECT Body FROM otel_logs WHERE TraceId = '{trace_id}' AND Body LIKE 'got%'"  # noqa: S608
        )
        assert json.loads(body.removeprefix("got "))["n"] == 1

        # When it takes too much memory, ends its own host, or stops it
        memory = await run(running, "memory")
        killed = await run(running, "kill host")
        stopped = await run(running, "stop host", "quick")
        failed = await run(running, "fail", n=1)

        # I expect each to be told, and the function to go on
        assert error_of(memory) == ("MemoryLimitExceeded", "memory")
        assert error_of(killed) == ("WorkerKilled", "crash")
        assert error_of(stopped) == ("Timeout", "timeout")
        assert error_of(failed) == ("ValueError", "error")
        assert (await run(running, "echo")).ok
        await running.server.flush(60)
        scene = await scene_of(running, failed)
        assert scene.exceptions[0].frames[-1].file == "bootstrap"
        assert scene.parts["live"].because(Why.NOT_KEPT)
        assert scene.parts["heap"].because(Why.NO_PYTHON)
        assert (await scene_of(running, memory)).manifest["kind"] == "memory"
        assert (await scene_of(running, stopped)).parts["exception"].because(Why.NO_PYTHON)
        assert not running.server.engine.frozen()

        # ... what needs Python to be refused in clear words
        for refused in (
            running.server.engine.heap_next,
            lambda name: running.server.engine.profile_next(name, 1),
        ):
            with pytest.raises(Refused, match="is a program"):
                refused("lab")

        with pytest.raises(ReplayError, match="no Python that a test could call"):
            pytest_file(scene, Code(tmp_path / "app" / "lab", None), tmp_path / "test_it.py")

        # When a failure is replayed whose program has made a call
        loop = asyncio.get_running_loop()
        home = running.server.settings.home
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            connected = await run(running, "connect", host="127.0.0.1", port=port)
            await running.server.flush(60)
            scene = await scene_of(running, connected)
            cut = await loop.run_in_executor(None, replay, scene, home, ReplayOptions())
            live = await loop.run_in_executor(None, replay, scene, home, ReplayOptions(live=True))

        # I expect it to reach nobody, unless that is wanted; and to fail in the same way then
        assert connected.error is not None
        assert (connected.error.message, cut.runs[0].message) == ("connected", "Connection refused")
        assert (live.outcome, live.runs[0].message) == ("same", "connected")

        # When a version's program never asks for an event, I expect the deploy to be refused with its words
        toml = TOML + '[functions.quick.environment]\nINIT = "exit"\n'
        (tmp_path / "app" / "relive.toml").write_text(toml)
        with pytest.raises(DeployError, match="exit status 7"):
            await running.deploy(tmp_path / "app")
        assert (await run(running, "echo", "quick")).ok
