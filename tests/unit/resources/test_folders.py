"""Folders and files of resources: what a killed server was making or removing is in nobody's way."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from relive_platform.resources.base import Declared, UnknownResource
from relive_platform.resources.database.config import DatabaseConfig
from relive_platform.resources.database.provider import DatabaseProvider
from relive_platform.resources.folders import make_folder, remove_folder


class Killed(BaseException):
    """Stands for the end of the process: nothing is tidied."""


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def declared() -> list[Declared]:
    return [Declared(name="shop", app="a", config=DatabaseConfig())]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("step", ["chmod", "rename"])
def test_a_folder_is_there_with_its_mode_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: None, step: str
) -> None:
    # Given a process that was killed before the last step of making it
    def killed(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(os, step, killed)
    with pytest.raises(Killed):
        make_folder(tmp_path / "bucket", 0o1777)
    monkeypatch.undo()
    assert not (tmp_path / "bucket").exists()
    # When the next one makes it, I expect it open to all
    make_folder(tmp_path / "bucket", 0o1777)
    assert mode(tmp_path / "bucket") == 0o1777
    assert [path.name for path in tmp_path.iterdir()] == ["bucket"]


@pytest.mark.usefixtures("umask")
async def test_a_database_that_was_being_made_is_made(tmp_path: Path) -> None:
    # Given a home in which a server was killed as it made a database
    folder = tmp_path / "databases" / "shop"
    folder.mkdir(parents=True, mode=0o777)
    folder.chmod(0o777)
    (folder / ".database.db.new").write_bytes(b"half")
    # When the next one starts
    await DatabaseProvider(tmp_path, {}).apply(declared())
    # I expect a database that functions of other users may write
    assert mode(folder / "database.db") == 0o666
    assert [path.name for path in folder.iterdir()] == ["database.db"]
    with closing(sqlite3.connect(folder / "database.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_of_a_database_that_was_being_deleted_nothing_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database with rows that are in its log still, and a server that was killed as it deleted it
    provider = DatabaseProvider(tmp_path, {})
    await provider.apply(declared())
    path = tmp_path / "databases" / "shop" / "database.db"
    writer = sqlite3.connect(path)
    writer.execute("CREATE TABLE old (secret TEXT)")
    writer.commit()
    assert path.with_name("database.db-wal").stat().st_size

    def killed(folder: Path, **_: object) -> None:
        (folder / "database.db").unlink()
        raise Killed

    await provider.apply([])
    with monkeypatch.context() as patched:
        patched.setattr("relive_platform.resources.folders.shutil.rmtree", killed)
        with pytest.raises(Killed):
            await provider.delete("shop")
    # When the next one makes a database of this name
    later = DatabaseProvider(tmp_path, {})
    with pytest.raises(UnknownResource):  # it is done
        await later.delete("shop")
    await later.apply(declared())
    # I expect it empty, and nothing left of the other
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert [entry.name for entry in (tmp_path / "databases").iterdir()] == ["shop"]
    assert [state.name for state in await later.listing()] == ["shop"]
    writer.close()


def test_what_was_left_of_one_before_does_not_hinder_a_removal(tmp_path: Path) -> None:
    (tmp_path / ".shop.gone" / "deep").mkdir(parents=True)
    (tmp_path / "shop").mkdir()
    remove_folder(tmp_path / "shop")
    assert list(tmp_path.iterdir()) == []
