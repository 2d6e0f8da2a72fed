"""One file in an inbox keeps no other one out, whatever its reader comes to."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S
from relive_platform.inbox.folder import Inbox
from relive_platform.server import inbox as server_inbox
from relive_platform.server.inbox import InboxWatch
from scene_bombs import scene_of

READER = """
import json, os, pathlib, sys, time
job = json.loads(sys.stdin.read())
for path in sorted(pathlib.Path(job["inbox"]).glob("*.scene")):
    print(json.dumps({"file": path.name, "state": "begun"}), flush=True)
    if path.name == "b.scene":
        %s
    path.unlink()
    print(json.dumps({"file": path.name, "state": "new", "text": ""}), flush=True)
"""


@pytest.mark.parametrize(
    "end", ["os.abort()", "raise KeyError(1)", "time.sleep(600)"], ids=["crash", "mistake", "endless"]
)
async def test_a_file_that_ends_its_reader_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    # Given three files that wait, of which one ends the process that reads it
    inbox = Inbox(tmp_path)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.scene").write_bytes(scene_of({}))
    monkeypatch.setattr(server_inbox, "READER", (sys.executable, "-c", READER % end))
    watch = InboxWatch(inbox, tmp_path / "scenes", "", 10, limit_s=5.0 if "sleep" in end else PATIENCE_S)
    # When they are brought in
    async with asyncio.timeout(PATIENCE_S):
        while inbox.waiting():
            await watch._bring_in()
    # I expect the others to be in, and that one to be aside: it was twice the first one of its reader
    assert (watch.imported, watch.refused, inbox.waiting()) == (2, 1, [])
    assert [path.name for path in (tmp_path / "refused").iterdir()] == ["b.scene"]


async def test_a_reader_that_is_killed_once_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file whose first reader is killed by somebody else
    inbox = Inbox(tmp_path)
    (tmp_path / "b.scene").write_bytes(scene_of({}))
    once = (
        f"path = pathlib.Path({str(tmp_path / 'killed')!r}); first = not path.exists(); path.touch();"
        " first and os.kill(os.getpid(), 9); path = pathlib.Path(job['inbox'], 'b.scene')"
    )
    monkeypatch.setattr(server_inbox, "READER", (sys.executable, "-c", READER % once))
    watch = InboxWatch(inbox, tmp_path / "scenes", "", 10, limit_s=PATIENCE_S)
    # When it is brought in
    async with asyncio.timeout(PATIENCE_S):
        while inbox.waiting():
            await watch._bring_in()
    # I expect it to be in
    assert (watch.imported, watch.refused) == (1, 0)


async def test_a_store_that_is_down_keeps_all_of_them(tmp_path: Path) -> None:
    # Given a file that waits, and a store that cannot be used
    (tmp_path / "a.scene").write_bytes(
        scene_of({}, invocation_id="01a22d1d-11a7-7fd5-9e70-580255493e1d", kind="exception")
    )
    watch = InboxWatch(Inbox(tmp_path), tmp_path / "scenes", f"unix://{tmp_path}/none.sock", 10)
    # When it is to be brought in, I expect it to stay
    assert not await watch._bring_in()
    assert [path.name for path in watch.inbox.waiting()] == ["a.scene"]


async def test_a_name_that_is_no_text_is_refused_as_another_one(tmp_path: Path) -> None:
    # Given a file of such a name, which is no scene
    inbox = Inbox(tmp_path / "inbox")
    inbox.folder.mkdir()
    (inbox.folder / os.fsdecode(b"\xff\n.scene")).write_bytes(b"PK")
    watch = InboxWatch(inbox, tmp_path / "scenes", f"unix://{tmp_path}/none.sock", 10)
    # When it is to be brought in
    done = await watch._bring_in()
    # I expect it to be aside
    assert (done, watch.refused, inbox.waiting()) == (True, 1, [])
