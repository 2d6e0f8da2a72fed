"""What TAB offers: commands, functions of the registry, failures by their scenes; without a server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from relive.commands.start.completion import completion
from relive.group import COMMANDS, cli

OLDER = "01a2283f-ae97-73e1-9e11-bb5e3c439fd8"
NEWER = "01a2283f-ae98-73e1-9e11-bb5e3c439fd8"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for age, ident in enumerate((NEWER, OLDER)):
        path = scenes / f"{ident}-1.scene"
        path.touch()
        os.utime(path, (1_000 - age, 1_000 - age))
    (scenes / "notes.txt").touch()
    return tmp_path


def offered(home: Path, words: list[str], incomplete: str) -> list[tuple[str, str]]:
    found = BashComplete(cli, {}, "relive", "_RELIVE_COMPLETE").get_completions(
        ["--home", str(home), *words], incomplete
    )
    return [(item.type, item.value) for item in found]


def test_commands_are_offered(home: Path) -> None:
    assert {value for _, value in offered(home, [], "")} >= set(COMMANDS)
    assert offered(home, [], "rollb") == [("plain", "rollback")]


@pytest.mark.parametrize("command", ["failure", "debug", "replay", "heap", "scene", "trace", "cancel"])
def test_ids_are_offered_short_and_the_newest_first(home: Path, command: str) -> None:
    assert offered(home, [command], "01a2") == [("plain", NEWER[:13]), ("plain", OLDER[:13])]
    assert offered(home, [command], "")[0] == ("plain", "last")
    # beyond what is shown of it, the id goes on
    assert offered(home, [command], OLDER[:15]) == [("plain", OLDER)]


def test_what_is_no_id_may_be_a_file(home: Path) -> None:
    assert offered(home, ["failure"], "./th") == [("file", "./th")]


def test_a_home_that_is_not_there_offers_nothing_and_is_not_made(tmp_path: Path) -> None:
    assert offered(tmp_path / "gone", ["invoke"], "x") == []
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    text = CliRunner().invoke(completion, [shell]).output
    assert "_RELIVE_COMPLETE" in text
    assert f"{shell}_complete" in text
