"""A command is ended in time, with whatever it has started; who is one too many is told so."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from relive_agents.commands import AT_ONCE, WAITING, Busy, Commands

SLEEPS = """
import subprocess, sys
with open(sys.argv[1], "w") as held:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=held)
child.wait()
"""


async def test_one_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    # Given a command whose child holds a pipe open
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)

    # When its time is up
    ran = await Commands([sys.executable, "-c", SLEEPS], os.environ, time_s=1.0).run(pipe)

    # I expect to be told, and nobody to hold the pipe any more
    assert ran.status is None
    assert "longer than 1 s" in ran.why
    assert await anyio.to_thread.run_sync(os.read, reading, 1) == b""
    os.close(reading)


async def test_what_it_says_and_its_status() -> None:
    commands = Commands([sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(3)"], os.environ)
    ran = await commands.run("--home", "a b")

    assert (ran.status, ran.out, ran.why) == (3, "['--home', 'a b']\n", "")


async def test_a_flood_is_cut_and_said() -> None:
    script = "import sys\nfor _ in range(80): sys.stdout.write('x' * 65_536)"
    ran = await Commands([sys.executable, "-c", script], os.environ).run()

    assert ran.status is None
    assert len(ran.out) == 4 * 1_048_576
    assert "over the limit" in ran.why


async def test_what_runs_is_ended_when_the_server_ends() -> None:
    commands = Commands([sys.executable, "-c", "import time; time.sleep(600)"], os.environ)
    said: list[str] = []

    async def run() -> None:
        said.append((await commands.run()).why)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.lowlevel.checkpoint()
        commands.close()

    assert said == ["relive mcp is ending"]
    assert (await commands.run()).why == "relive mcp is ending"


async def test_no_more_wait_than_may() -> None:
    commands = Commands([sys.executable, "-c", "import time; time.sleep(600)"], os.environ)
    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE + WAITING):
            group.start_soon(commands.run)
        await anyio.lowlevel.checkpoint()
        with pytest.raises(Busy):
            await commands.run()
        group.cancel_scope.cancel()
