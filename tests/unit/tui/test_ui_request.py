"""What `relive tui` answers without the command group, and what it leaves to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive.ui import UiRequest


def test_a_plain_command_is_understood() -> None:
    # When the UI is asked for with a home, a view and an id
    request = UiRequest.parse(["--home", "/srv/h", "tui", "failure", "last"], {"RELIVE_HOME": "/other"})
    # Then the option wins over the environment, and the place is named
    assert request is not None
    assert (request.home, request.view, request.ident) == (Path("/srv/h"), "failure", "last")


def test_the_environment_names_home_and_server() -> None:
    request = UiRequest.parse(["tui"], {"RELIVE_HOME": "/srv/e", "RELIVE_SERVER": "host:1"})
    assert request is not None
    assert (request.home, request.server, request.view) == (Path("/srv/e"), "host:1", "home")
    assert UiRequest.parse(["--server=h:2", "--home=/x", "tui", "logs", "fn"], {}) is not None


def test_a_scene_file_alone_is_a_failure_to_look_at() -> None:
    request = UiRequest.parse(["tui", "./theirs.scene"], {"RELIVE_HOME": "/srv/e"})
    assert request is not None
    assert (request.view, request.ident) == ("failure", "./theirs.scene")


@pytest.mark.parametrize(
    "line",
    [
        "tui --help", "tui nonsense", "tui home a b", "--version tui", "failures tui", "tui failure -x",
        "--home", "invoke tui", "",
    ],
)  # fmt: skip
def test_everything_else_is_left_to_the_command_group(line: str) -> None:
    assert UiRequest.parse(line.split(), {"RELIVE_HOME": "/srv/e"}) is None


@pytest.mark.parametrize("name", ["\x1b[31m[bold]", "a\\[b]", "[/]", "\\", "plain"])
def test_a_title_shows_data_as_it_is(name: str) -> None:
    from relive_tui.models.layout.text import clean
    from relive_tui.widgets.titles import safe_title
    from textual.content import Content

    assert Content.from_markup(safe_title(name)).plain == clean(name)
