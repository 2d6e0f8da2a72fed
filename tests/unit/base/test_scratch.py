"""A temporary folder is gone at the end; of a process that was killed, when the next one is made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from patience import PATIENCE_S
from relive_base.scratch import scratch_folder

HOLDS = """
from relive_base.scratch import scratch_folder
with scratch_folder("test") as folder:
    (folder / "event.json").write_text("{}")
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def held() -> tuple[subprocess.Popen[str], Path]:
    """A process that has one, and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_it_is_gone_at_the_end(place: Path) -> None:
    with scratch_folder("test") as folder:
        (folder / "sub").mkdir()
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700

    assert os.listdir(place) == []


def test_that_of_the_killed_is_gone_with_the_next_and_that_of_others_stays(place: Path) -> None:
    # Given a process that was killed, one that runs, and folders that look like theirs
    killed, left = held()
    running, used = held()
    killed.send_signal(signal.SIGKILL)
    killed.wait(PATIENCE_S)
    somebodys = place / "relive-test-notes"
    somebodys.mkdir()
    linked = place / "relive-test-a1b2c3d4.tmp"
    linked.symlink_to(somebodys)
    assert left.is_dir()

    # When another one is made
    with scratch_folder("other") as folder:
        there = set(place.iterdir())

    # I expect the killed one's to be gone, and all others to be there
    assert there == {folder, used, somebodys, linked}
    assert (used / "event.json").exists()
    running.communicate("\n", timeout=PATIENCE_S)
    assert not used.exists()
