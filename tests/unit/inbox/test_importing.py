"""Scenes of others, as they come in: all of each is checked, and nothing of it is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from relive_capture.explore import SceneError
from relive_platform.inbox.checking import checked, info_of
from relive_platform.inbox.importing import Importer, TooManyScenes
from scene_bombs import REFUSED, scene_of

ID = "01a22d1d-11a7-7fd5-9e70-580255493e1d"


class Rows:
    """A store that keeps what is inserted."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, list[object]]]] = {}

    def query(self, sql: str, parameters: dict[str, Any]) -> Rows:
        self._asked = parameters
        return self

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
    assert [path.name for path in (tmp_path / "scenes").iterdir()] == [f"{ID}-1.scene"]


def test_another_one_under_the_same_id_stays_out(tmp_path: Path) -> None:
    store = Rows()
    into = importer(tmp_path, store)
    into.take(archive(), "a")
    before = (tmp_path / "scenes" / f"{ID}-1.scene").read_bytes()
    assert into.take(archive({"event.bin": b"{}"}), "b").state == "other"
    assert (tmp_path / "scenes" / f"{ID}-1.scene").read_bytes() == before
    assert len(store.tables["failure_scenes"]) == 1


def test_a_home_that_is_full_takes_no_more(tmp_path: Path) -> None:
    with pytest.raises(TooManyScenes, match="limit"):
        importer(tmp_path, Rows(), limit=0).take(archive(), "a")


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
