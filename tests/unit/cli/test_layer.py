"""The zip of `relive layer build`: all of it, or nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from relive.layer.building import write_layer


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
