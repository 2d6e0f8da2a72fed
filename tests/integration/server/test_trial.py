"""A deploy tries the new version in a real worker: its isolation, its limits, its import path."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from relive_platform.registry import DeployError
from relive_runtime.isolation import landlock
from server_harness import served, write_app

FUNCTION = '[functions.f]\nhandler = "app:handler"\nsource = "."\n'
GOOD = "def handler(event, context):\n    return 1\n"
CASES = {
    "broken import": ("import os\nimport nowhere_to_be_found\n" + GOOD, 2, "nowhere_to_be_found"),
    "raises": (GOOD + "raise ValueError('odd')\n", 3, "ValueError: odd"),
    "not callable": ("def make():\n    return 3\nhandler = make()\n", 0, "not callable"),
    "no handler": ("from string import *\n", 0, "has no attribute 'handler'"),
    "leaves": (GOOD + "import os; os._exit(3)\n", 0, "os._exit(3)"),
    "crashes": (GOOD + "import os; os.kill(os.getpid(), 11)\n", 0, "SIGSEGV"),
    "our own packages": ("import chdb\n" + GOOD, 1, "No module named 'chdb'"),
}


async def test_a_version_that_no_worker_can_load_is_refused_where_it_fails(tmp_path: Path) -> None:
    async with served(tmp_path / "home", trial_timeout_s="120") as running:
        # Given a version in service
        await running.deploy(write_app(tmp_path / "app", GOOD, FUNCTION))
        for name, (code, line, says) in CASES.items():
            # When one is deployed that does not load
            folder = write_app(tmp_path / "app", code, FUNCTION)
            with pytest.raises(DeployError) as caught:
                await running.deploy(folder)

            # I expect to be told what and where, in my folder, and what to do
            assert says in caught.value.message, (name, caught.value)
            assert str(running.server.home) not in str(caught.value), name
            place = f"{folder}/app.py:{line}" if line else str(folder)
            assert caught.value.where.startswith(place), (name, caught.value)
            assert caught.value.hint

        # ... the old version to serve, and no process to stay behind
        assert (await running.invoke("f")).body == b"1"
        await running.until(
            lambda: all(w.spec.version == 1 for w in running.server.engine.host.workers.values())
        )


async def test_a_version_that_never_ends_to_load_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path / "home", trial_timeout_s="1") as running:
        folder = write_app(tmp_path / "app", GOOD + "while True: pass\n", FUNCTION)

        with pytest.raises(DeployError, match="longer than 1 s") as caught:
            await running.deploy(folder)

        assert caught.value.where.startswith(str(folder))
        await running.until(lambda: not running.server.engine.host.workers)


@pytest.mark.skipif(not landlock.abi_version(), reason="this kernel has no Landlock")
async def test_the_trial_is_as_isolated_as_an_invocation(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # not in /tmp: a worker has its own
        victim = Path(folder) / "victim"
        victim.write_text("mine")
        async with served(tmp_path / "home") as running:
            # When a module tries to write outside of its scratch folder while it is imported
            code = f"open({str(victim)!r}, 'w').write('taken')\n" + GOOD
            with pytest.raises(DeployError, match=r"PermissionError|Read-only file system"):
                await running.deploy(write_app(tmp_path / "app", code, FUNCTION))

        # I expect that it could not
        assert victim.read_text() == "mine"


async def test_a_trial_works_while_the_host_is_full(tmp_path: Path) -> None:
    async with served(tmp_path / "home", host_workers="1") as running:
        slow = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return time.time()\n"
        await running.deploy(write_app(tmp_path / "app", slow, FUNCTION + "timeout_s = 60\n"))
        await running.invoke("f", b"0")
        # When another version is tried, while the only worker that the host allows is kept idle for long
        await running.deploy(write_app(tmp_path / "app", GOOD, FUNCTION))
        # I expect it to need no room
        assert (await running.invoke("f")).body == b"1"
