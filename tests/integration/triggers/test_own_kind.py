"""A new kind of trigger is a folder of its own and a line in the table: this one lives in the tests."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from fresh_process import ROOT, in_a_fresh_process

SOURCE = """
def handler(event, context):
    if event["text"] == "bad":
        raise ValueError(event["file"])
    print("got", event["file"])
"""


@in_a_fresh_process
def test_a_kind_of_trigger_from_elsewhere_is_read_claimed_shown_and_delivers(tmp_path: Path) -> None:
    # Given a server whose table has one more kind of trigger
    from relive_platform.triggers.table import KINDS, Kind

    from tests.support.folder_trigger import FolderSource, FolderTrigger

    KINDS["folder"] = Kind(FolderTrigger, FolderSource)
    asyncio.run(_scenario(tmp_path))


async def _scenario(tmp_path: Path) -> None:
    import pytest
    from relive_platform.registry.model import DeployError

    from tests.support.patience import PATIENCE_S
    from tests.support.server_harness import served, write_app

    inbox = tmp_path / "inbox"
    inbox.mkdir()
    entry = '[functions.{name}]\nsource = "."\nhandler = "app:handler"\nretries = 0\n{triggers}\n'
    trigger = f'[[functions.{{name}}.triggers]]\ntype = "folder"\npath = "{inbox}"\n'

    def table(name: str) -> str:
        return entry.format(name=name, triggers=trigger.format(name=name))

    async with served(tmp_path / "home") as running:
        await running.deploy(write_app(tmp_path / "app", SOURCE, table("reader")))

        # When files appear
        (inbox / "a.txt").write_text("hello")
        (inbox / "b.txt").write_text("bad")
        await running.until(lambda: not list(inbox.iterdir()))
        counts = running.server.queue.counts
        await running.until(lambda: not ((found := counts().result(120)).ready or found.leased))

        # I expect each to be an event with its outcome, its trace and its scene
        async def told() -> list[tuple[object, ...]]:
            return await running.rows(
                "SELECT Status, Trigger FROM invocations WHERE Function = 'reader' ORDER BY Status"
            )

        deadline = time.monotonic() + PATIENCE_S
        while len(rows := await told()) < 2:
            assert time.monotonic() < deadline
        assert [row[0] for row in rows] == ["error", "ok"]

        # ... another function not to get the same folder, and the trigger to be named where it is listed
        other = write_app(tmp_path / "other", SOURCE, table("thief")).joinpath("relive.toml")
        other.write_text(other.read_text().replace('name = "test"', 'name = "other"'))
        with pytest.raises(DeployError, match="already one of function 'reader'"):
            await running.deploy(tmp_path / "other")
        [version] = running.server.registry.functions()
        assert [found.describe() for found in version.config.triggers] == [f"folder {inbox}"]


sys.path[:0] = [str(ROOT)]
