"""What `relive layer build` writes: all of it, or nothing, and over nothing that is not its own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from relive.group import cli
from relive.layer.building import write_layer
from relive_base.errors import UsageError

OURS = {"relive-record": b"#!/bin/sh\n", "relive_outside/__init__.py": b"", "msgspec/_core.so": b"new"}


def test_it_is_there_with_its_folder(tmp_path: Path) -> None:
    target = tmp_path / "out" / "layer.zip"
    size = write_layer({"b.py": b"x", "a.py": b"y"}, target)

    assert zipfile.ZipFile(target).namelist() == ["a.py", "b.py"]
    assert (size, target.stat().st_mode & 0o777) == (target.stat().st_size, 0o644)


def test_one_that_cannot_be_put_there_leaves_nothing_beside_it(tmp_path: Path) -> None:
    # Given a folder in the place of the zip
    target = tmp_path / "layer.zip"
    target.mkdir()
    # When it is written
    with pytest.raises(OSError, match="directory"):
        write_layer({"a.py": b"y"}, target)
    # I expect no other file to be there
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_by_a_newer_one(tmp_path: Path) -> None:
    # Given one of an earlier build, with modules that are none any more, and what running it has left
    target = tmp_path / "recorder"
    write_layer({**OURS, "relive_old/one.py": b"", "msgspec-0.1.dist-info/METADATA": b""}, target)
    (target / "relive_outside" / "__pycache__").mkdir()
    (target / "relive_outside" / "__pycache__" / "gone.pyc").write_bytes(b"")
    (target / "relive_outside" / "link").symlink_to(tmp_path)
    held = (target / "msgspec" / "_core.so").open("rb")
    # When the next one is written
    write_layer({**OURS, "msgspec/_core.so": b"newer"}, target)
    # I expect that one alone, a program, and what runs to have the file that it has opened
    files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert (files, (target / "relive-record").stat().st_mode & 0o777) == (set(OURS), 0o755)
    with held:
        assert held.read() == b"new"
    assert tmp_path.is_dir()


@pytest.mark.parametrize("other", ["notes.txt", "relive_mine.py"])
def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path, other: str) -> None:
    # Given a folder in which something else is
    (tmp_path / other).write_text("mine")
    # I expect it to be refused, before anything is fetched, with what to do
    with pytest.raises(UsageError, match=other) as refused:
        write_layer(OURS, tmp_path)
    assert "empty" in (refused.value.hint or "")
    done = CliRunner().invoke(cli, ["layer", "build", "-o", str(tmp_path)], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    # ... also if a recorder is there, too
    (tmp_path / "relive_outside").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        write_layer(OURS, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "relive-record").exists()
