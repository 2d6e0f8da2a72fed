"""A command in a fork is as one that was started: what it gets, what it writes, how it ends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked_commands import ForkedCommands


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkedCommands]:
    running = ForkedCommands()
    yield running
    running.close()


def test_the_first_of_a_name_and_those_that_stay_are_started(forks: ForkedCommands) -> None:
    assert [forks.takes(["sql", "SELECT 1"], {}) for _ in range(2)] == [False, True]
    assert not forks.takes(["sql", "SELECT 1"], {"PYTHONUTF8": "0"})
    assert not any(forks.takes(["serve"], {}) for _ in range(2))
    assert forks.takes(["serve", "--daemon"], {})


def test_it_has_its_arguments_its_environment_and_its_own_end(forks: ForkedCommands, tmp_path: Path) -> None:
    # When commands are wrong, and right
    wrong = forks.run(["events", "--state", "lost"], "", {"RELIVE_HOME": str(tmp_path)}, 60)
    right = forks.run(["events", "--help"], "", {"RELIVE_HOME": str(tmp_path)}, 60)
    # I expect what each writes where it writes it, and its status
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'lost' is not" in wrong.stderr
    assert (right.returncode, right.stderr) == (0, "")
    assert right.stdout.startswith("Usage: relive events")


def test_one_that_does_not_end_is_killed(forks: ForkedCommands, tmp_path: Path) -> None:
    # Given a command that reads an event for ever
    fifo = tmp_path / "fifo"
    subprocess.run(["mkfifo", str(fifo)], check=True)
    # When its time is up, I expect to be told
    with pytest.raises(subprocess.TimeoutExpired):
        forks.run(["invoke", "f", "--event", f"@{fifo}"], "", {"RELIVE_HOME": str(tmp_path)}, 0.5)
