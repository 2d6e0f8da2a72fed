"""How long a handler may take to load."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.registry import DeployError
from server_harness import served, write_app

FUNCTION = '[functions.f]\nhandler = "app:handler"\nsource = "."\n'
SLOW = "import time\ntime.sleep(2.5)\ndef handler(event, context):\n    return 1\n"


async def test_loading_ends_at_its_limit_or_at_the_functions_own(tmp_path: Path) -> None:
    async with served(tmp_path / "home", start_timeout_s="2") as running:
        # When a module takes longer to load than the server allows
        folder = write_app(tmp_path / "app", SLOW, FUNCTION + "timeout_s = 0.2\n")
        with pytest.raises(DeployError, match="took longer than 2 s") as caught:
            await running.deploy(folder)

        # I expect to be told where it stood
        assert caught.value.where.startswith(f"{folder}/app.py:2")

        # ... and that a function with more time for itself may take it
        await running.deploy(write_app(tmp_path / "app", SLOW, FUNCTION + "timeout_s = 60\n"))
        assert (await running.invoke("f")).body == b"1"
