"""Scenes of others, as they come in: all of each is checked, and nothing of it is believed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from relive.commands.failures.importing import _all
from relive_capture.explore import SceneError
from relive_platform.inbox.checking import checked, info_of
from relive_platform.inbox.folder import Inbox, InboxFull, NoScene
from relive_platform.inbox.importing import Importer, is_imported
from relive_platform.inbox.process import _take
from scene_bombs import REFUSED, scene_of

ID = "01a22d1d-11a7-7fd5-9e70-580255493e1d"


class Rows:
    """A store that keeps what is inserted."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, list[object]]]] = {}

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> Rows:
        self._asked = parameters or {}
        return self

    def rows(self) -> list[tuple[str, str]]:
        return [("failure_scenes", "TTL toDateTime(CapturedAt) + toIntervalDay(30)")]

    def scalar(self) -> int:
        rows = self.tables.get("failure_scenes", [])
        return sum(self._asked["hash"] in row["ArchiveHash"] for row in rows)

    def insert(self, table: str, columns: dict[str, list[object]]) -> int:
        self.tables.setdefault(table, []).append(columns)
        return 1


def archive(members: dict[str, bytes] | None = None, **manifest: Any) -> bytes:
    given = {"invocation_id": ID, "kind": "exception", "function": "shop", "attempt": 1, **manifest}
    return scene_of(members or {}, **given)


def importer(tmp_path: Path, store: Any, **more: Any) -> Importer:
    return Importer(tmp_path / "scenes", store, clock_ns=lambda: 1, **more)


def test_it_comes_in_once(tmp_path: Path) -> None:
    # Given a home without scenes
    store = Rows()
    into = importer(tmp_path, store)
    # When the same one comes twice, I expect one file and one row
    assert [into.take(archive(), "a").state for _ in range(2)] == ["new", "known"]
    assert len(store.tables["failure_scenes"]) == 1
    assert [path.name for path in (tmp_path / "scenes").glob("*.scene")] == [f"{ID}-1.scene"]


def test_one_that_has_no_place_now_waits(tmp_path: Path) -> None:
    # Given a scene in the inbox, and a home that cannot take it in: its disk is full, say
    inbox = Inbox(tmp_path / "inbox")
    name = f"{ID}-1.scene"
    inbox.put(name, archive())
    (tmp_path / "scenes").write_bytes(b"no folder")
    into = importer(tmp_path, Rows())
    # When it is to be brought in, I expect it to stay: it was taken, and nothing is wrong with it
    with pytest.raises(OSError, match="scenes"):
        _take(into, inbox, inbox.folder / name, name)
    assert [path.name for path in inbox.waiting()] == [name]
    # ... and to come in later
    (tmp_path / "scenes").unlink()
    assert _take(into, inbox, inbox.folder / name, name).state == "new"
    assert inbox.waiting() == []


def test_one_that_lists_keep_no_more_says_so(tmp_path: Path) -> None:
    # Given a scene of forty days ago, and one of now, for a home that lists failures for thirty
    day_ns = 86_400 * 10**9
    into = Importer(tmp_path / "scenes", Rows(), clock_ns=lambda: 100 * day_ns)
    old = into.take(archive(captured_ns=60 * day_ns), "a")
    new = into.take(archive(captured_ns=99 * day_ns, attempt=2), "b")
    # I expect the file kept, and where it is to be found
    assert "captured 40 days ago, and failures are listed for 30 days" in old.note
    assert old.note.endswith(f"relive failure {tmp_path / 'scenes' / ID}-1.scene")
    assert (old.state, new.state, new.note) == ("new", "new", "")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    # Given a folder of somebody else's, with a pipe that has the name of a scene
    (tmp_path / f"{ID}-1.scene").write_bytes(b"PK")
    os.mkfifo(tmp_path / f"{ID}-2.scene")
    (tmp_path / f"{ID}-3.scene").mkdir()
    assert [read() for _, read, _ in _all((str(tmp_path),))] == [b"PK"]


def test_another_one_under_the_same_id_stays_out(tmp_path: Path) -> None:
    store = Rows()
    into = importer(tmp_path, store)
    into.take(archive(), "a")
    before = (tmp_path / "scenes" / f"{ID}-1.scene").read_bytes()
    assert into.take(archive({"event.bin": b"{}"}), "b").state == "other"
    assert (tmp_path / "scenes" / f"{ID}-1.scene").read_bytes() == before
    assert len(store.tables["failure_scenes"]) == 1


def test_of_a_home_that_is_full_the_oldest_file_leaves(tmp_path: Path) -> None:
    into = importer(tmp_path, Rows(), limit=1)
    into.take(archive(), "a")
    into.take(archive(invocation_id=ID[:-1] + "e"), "b")
    assert [path.name for path in (tmp_path / "scenes").glob("*.scene")] == [f"{ID[:-1]}e-1.scene"]
    # ... and both to be known for somebody else's, as the store still has them
    assert is_imported(tmp_path / "scenes", ID, 1)
    assert is_imported(tmp_path / "scenes", ID[:-1] + "e", 1)
    assert not is_imported(tmp_path / "scenes", ID, 2)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_scene_is_refused(name: str) -> None:
    with pytest.raises(SceneError):
        checked(REFUSED[name][0](), name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"invocation_id": "../../etc"},
        {"invocation_id": "x" * 40},
        {"attempt": 100_000},
        {"attempt": 0},
        {"kind": "baseline"},
        {"kind": "?"},
        {"captured_ns": 1 << 62},
    ],
)
def test_what_could_not_be_of_a_failure_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SceneError):
        checked(archive(**wrong), "it")


@pytest.mark.parametrize(
    "member", ["exception.json", "context.json", "spans.json", "replay.json", "cassette.json"]
)
def test_a_member_that_cannot_be_read_is_seen_at_once(member: str) -> None:
    with pytest.raises(SceneError):
        checked(archive({member: b"[{"}), "it")


def test_what_the_store_gets_is_bounded(tmp_path: Path) -> None:
    # Given a scene that lies about all it can
    data = archive(
        function="../\x1b[2J" + "n" * 400, version=-5, fingerprint="'; DROP", app={"a": 1},
        error={"type": "E" * 9_999, "message": ["no"], "line": "1", "file": "f" * 9_999},
    )  # fmt: skip
    row = info_of(checked(data, "it"), tmp_path).manifest
    assert row["function"].isprintable()
    assert len(row["function"]) <= 100
    assert (row["version"], row["fingerprint"], row["app"]) == (0, "", "")
    assert (len(row["error"]["type"]), row["error"]["message"], row["error"]["line"]) == (200, "", 0)
    assert len(row["error"]["file"]) == 400


def test_where_it_ran_is_told(tmp_path: Path) -> None:
    facts = msgspec.json.encode({"host": "lambda", "python": "3.12.1"})
    assert importer(tmp_path, Rows()).take(archive({"outside.json": facts}), "a").host == "lambda"
    assert importer(tmp_path / "b", Rows()).take(archive({"outside.json": b"\xff"}), "a").host == ""


def test_an_inbox_takes_scenes_alone_and_is_bounded(tmp_path: Path) -> None:
    # Given an inbox for two
    inbox = Inbox(tmp_path / "inbox", scenes=2)
    name = f"{ID}-1.scene"
    for wrong in ("../x-1.scene", "a.zip", "x/y-1.scene", "-1.scene", "a-1.scene/", f"{name}.tmp"):
        with pytest.raises(NoScene):
            inbox.put(wrong, archive())
    with pytest.raises(NoScene):
        inbox.put(name, b"#!/bin/sh")
    with pytest.raises(NoScene):
        Inbox(tmp_path / "small", scene_bytes=10).put(name, archive())
    # When it is full, I expect that it says so
    inbox.put(name, archive())
    inbox.put(f"{ID}-2.scene", archive())
    with pytest.raises(InboxFull):
        inbox.put(f"{ID}-3.scene", archive())
    with pytest.raises(InboxFull):
        Inbox(tmp_path / "inbox", total_bytes=10).put(f"{ID}-3.scene", archive())
    assert [path.name for path in inbox.waiting()] == [name, f"{ID}-2.scene"]


def test_links_in_an_inbox_are_not_followed_and_what_is_refused_is_set_aside(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    inbox.put(f"{ID}-1.scene", archive())
    (tmp_path / "inbox" / f"{ID}-2.scene").symlink_to("/etc/passwd")
    (waiting,) = inbox.waiting()
    inbox.refuse(waiting)
    assert inbox.waiting() == []
    assert [path.name for path in (tmp_path / "inbox" / "refused").iterdir()] == [f"{ID}-1.scene"]
