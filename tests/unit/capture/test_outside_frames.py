"""Which files the server reads for a frame that a function's code names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from relive_capture.explore.outside.frames import is_program, library_folders
from relive_capture.record.frames import InApp


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("home/code/shop/3/app.py", True),
        ("home/deps/0a1b/requests/api.py", True),
        ("secret/deps/keys.py", False),
        ("secret/site-packages/keys.py", False),
        ("home/code/other/1/app.py", False),
        ("home/code/shop/3/notes.txt", False),
        ("relive/relive_capture/x.py", False),
    ],
)
def test_libraries_are_told_by_their_folders_and_not_by_a_piece_of_a_path(
    tmp_path: Path, path: str, may: bool
) -> None:
    source = str(tmp_path / "home" / "code" / "shop" / "3")

    assert is_program(str(tmp_path / path), InApp([source]), library_folders(source)) is may


def test_the_interpreters_own_libraries_may_be_read(tmp_path: Path) -> None:
    libraries = library_folders(str(tmp_path))

    assert is_program(json.__file__, InApp([str(tmp_path)]), libraries)
    assert is_program(os.path.realpath(msgspec.__file__), InApp([str(tmp_path)]), libraries)
