"""What commands say in a line: next steps that can be pasted, small times, counts of the signals."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from relive.commands.functions.init import init
from relive.commands.functions.serve import _status_lines
from relive.commands.records.logs import _nothing
from relive.commands.records.profiles import _seconds
from relive.group import cli
from relive.output.figures import shown_figures
from relive.output.files import writing
from relive_base.errors import NotFound, UsageError
from relive_capture.explore.errors import AmbiguousScene
from relive_tracer.explore.errors import AmbiguousId
from relive_tracer.explore.logs import LogFilter


def test_the_next_steps_of_init_can_be_pasted(tmp_path: Path) -> None:
    # Given a folder that a shell would take for two words
    folder = tmp_path / "my shop"

    # When an application is written into it
    result = CliRunner().invoke(init, [str(folder)])

    # I expect commands that a shell reads as they are meant
    deploy, invoke = result.output.splitlines()[-2:]
    assert str(folder) in shlex.split(deploy)
    assert shlex.split(invoke)[-1] == f"@{folder / 'event.json'}"
    assert (folder / "event.json").is_file()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.98, "0.98 s"),
        (12.345, "12.35 s"),
        (0.0144, "14.4 ms"),
        (0.0004, "0.4 ms"),
        (0, "0.00 s"),
        (None, "-"),
    ],
)
def test_a_small_time_is_not_nothing(seconds: float | None, shown: str) -> None:
    assert _seconds(seconds) == shown


def test_a_trace_without_lines_is_named() -> None:
    # Given a trace that is known, whose functions have logged nothing
    # When its lines are asked for
    said = _nothing(LogFilter(trace_id="ab" * 16))

    # I expect that nobody is told to invoke something first
    assert said == f"trace {'ab' * 16} has no lines"


def test_the_status_counts_signals_in_words() -> None:
    # Given one stage that has lost nothing, and one that has
    found = {
        "signals": {
            "server": {"taken": 34, "dropped": 0, "late": 0},
            "store": {"taken": 79, "dropped": 2, "late": 0},
        }
    }

    # When they are shown to people
    line = list(_status_lines(found))[-1]

    # I expect what was taken, and what was lost where something was
    assert line.split("  ", 1)[1].strip().split("  ") == ["server 34", "store 79 (2 dropped)"]


def test_the_status_fits_the_terminal() -> None:
    # Given more about the store than 64 cells hold, and a long reason
    found = {
        "store": {"state": "ready", "address": "unix:///var/lib/relive/run/store.sock", "disk_full": False},
        "isolation_gaps": ["the server runs as root: a function that breaks out has the whole machine"],
    }

    # When it is shown at 64 columns
    lines = list(_status_lines(found, 64))[1:]

    # I expect names beside their figures, in lines that are short enough, and no word of Python's
    assert max(map(len, lines)) <= 64
    assert lines[:2] == [
        "store           state ready",
        "                address unix:///var/lib/relive/run/store.sock",
    ]
    assert lines[2].split() == ["disk_full", "no"]
    assert " ".join(" ".join(lines[3:]).split()).endswith("that breaks out has the whole machine")


def test_too_short_an_id_is_wrong_usage_everywhere() -> None:
    assert AmbiguousScene("x").exit_code == AmbiguousId("x").exit_code == 2


@pytest.mark.parametrize("place", ["missing/page.html", "."])
def test_a_file_that_cannot_be_written_is_wrong_usage(tmp_path: Path, place: str) -> None:
    # Given a folder that is not there, or a folder in place of the file
    target = tmp_path / place

    # When a command writes what it was asked for
    with pytest.raises(UsageError, match="cannot be written") as raised, writing(target):
        target.write_text("x")

    # I expect an error that names the file, and no traceback
    assert str(target) in raised.value.message


@pytest.mark.parametrize("command", ["failures", "failures --group", "invocations", "logs", "hot"])
def test_a_list_on_a_new_home_is_empty(tmp_path: Path, command: str) -> None:
    # Given a home on which nothing ever ran
    home = ["--home", str(tmp_path)]

    # When something is listed, for people and for programs
    shown = CliRunner().invoke(cli, [*home, *command.split()], standalone_mode=False)
    rows = CliRunner().invoke(cli, [*home, *command.split(), "--json"], standalone_mode=False)

    # I expect no rows and no error, and that it is said how to begin
    assert (shown.exception, shown.return_value, shown.stdout) == (None, 0, "")
    assert "nothing is recorded" in shown.stderr
    assert (rows.exception, rows.return_value, rows.stdout) == (None, 0, "")


def test_what_is_named_is_not_on_a_new_home(tmp_path: Path) -> None:
    # Given a home on which nothing ever ran
    # When the failures of a function are asked for
    result = CliRunner().invoke(cli, ["--home", str(tmp_path), "failures", "checkout"], standalone_mode=False)

    # I expect an error: there is no such function
    assert isinstance(result.exception, NotFound)


def test_one_of_a_thing_is_singular() -> None:
    figures = {"events": 1, "deliveries": 1, "unmatched": 1, "size_bytes": 2048, "received": 0}
    assert list(shown_figures(figures)) == ["1 event", "1 delivery", "1 unmatched", "2 KB size"]
    assert list(shown_figures({"deliveries": 2})) == ["2 deliveries"]
