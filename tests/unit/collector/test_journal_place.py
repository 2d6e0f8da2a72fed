"""The folder in memory in which a home's journals lie: it goes with its home, and not before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from relive_platform.signals.handover.journal_place import (
    journal_place,
    leave_place,
    open_place,
    sweep_places,
)


@pytest.fixture
def shared(tmp_path: Path) -> str:
    folder = tmp_path / "shm"
    folder.mkdir()
    return str(folder)


def opened(home: Path, shared: str) -> Path:
    home.mkdir(exist_ok=True)
    place = journal_place(home, shared)
    open_place(place, home)
    return place


def test_places_of_homes_that_are_gone_are_swept(tmp_path: Path, shared: str) -> None:
    gone, stays = opened(tmp_path / "gone", shared), opened(tmp_path / "stays", shared)
    (tmp_path / "gone").rmdir()
    sweep_places(opened(tmp_path / "mine", shared))
    assert (gone.exists(), stays.exists()) == (False, True)


def test_a_place_whose_note_was_cut_off_is_not_swept(tmp_path: Path, shared: str) -> None:
    # Given a place whose note is empty: memory was full, or its server was killed as it wrote it
    place = opened(tmp_path / "home", shared)
    (place / "home").write_bytes(b"")
    (place / "1").mkdir()
    # When another home's server sweeps, I expect its journals to stay
    other = opened(tmp_path / "other", shared)
    sweep_places(other)
    assert (place / "1").is_dir()
    # ... and the next server on the home to write whose it is
    open_place(place, tmp_path / "home")
    assert (place / "home").read_bytes() == os.fsencode((tmp_path / "home").resolve())


def test_an_empty_place_is_left_whole(tmp_path: Path, shared: str) -> None:
    place = opened(tmp_path / "home", shared)
    (place / ".home.new").write_bytes(b"/half")  # of a server that was killed
    leave_place(place)
    assert not place.exists()
