"""Errors and notes: for people a line with what to do, with --json one object that programs read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from relive.__main__ import main
from relive.output import Column, emit, emit_object, note, tell_error
from relive_base.errors import NotFound, Refused, ReliveError, ServerUnreachable, UsageError

HOSTILE = "\x1b]0;owned\x07 \u202e name"


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotFound("gone"), 1), (UsageError("what?"), 2), (ServerUnreachable("down"), 3), (Refused("no"), 4)],
)
def test_an_error_is_one_object_with_its_exit_status(
    error: ReliveError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_error(error, as_json=True)
    said = capsys.readouterr()
    assert said.out == ""
    row = json.loads(said.err)["error"]
    assert row == {
        "type": type(error).__name__,
        "message": error.message,
        "where": "",
        "hint": "",
        "exit_status": status,
    }


def test_for_people_it_is_text_that_cannot_touch_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell_error(NotFound(HOSTILE, hint="try another"))
    said = capsys.readouterr().err
    assert said.startswith("relive: ")
    assert "try another" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize(
    ("arguments", "kind", "status"),
    [
        (["functions"], None, 0),
        (["failure", "nobody"], "NothingRecorded", 1),
        (["events", "retry"], "UsageError", 2),
        (["cancel", "nobody"], "ServerUnreachable", 3),
    ],
)
def test_a_command_that_fails_under_json_prints_objects_only(
    arguments: list[str], kind: str | None, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # When a command is run on a home in which nothing was ever recorded
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path / "home"), *arguments, "--json"])
    # I expect its exit status, no rows, and each line of standard error to be an object
    assert (ended.value.code or 0) == status
    said = capsys.readouterr()
    assert said.out == ""
    errors = [json.loads(line)["error"] for line in said.err.splitlines() if '"error"' in line]
    if kind is not None:
        (error,) = errors
        assert (error["type"], error["exit_status"]) == (kind, status)
    assert not (tmp_path / "home").exists()


def test_rows_go_out_as_they_are_and_notes_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": HOSTILE, "none": None, "list": [1, 2]}]
    assert emit(rows, [Column("name", "name")], as_json=True) == 1
    emit_object({"more": 1})
    note("some wait", as_json=True)
    said = capsys.readouterr()
    assert [json.loads(line) for line in said.out.splitlines()] == [*rows, {"more": 1}]
    assert "\x1b" not in said.out
    assert json.loads(said.err) == {"note": "some wait"}


def test_no_rows_are_said_to_people_and_nothing_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert emit([], [], as_json=True, empty="no failures") == 0
    assert capsys.readouterr() == ("", "")
    assert emit([], [], as_json=False, empty="no failures") == 0
    assert capsys.readouterr() == ("", "no failures\n")


@pytest.mark.parametrize("action", ["backup", "restore"])
def test_an_action_that_lacks_its_file_is_told_so(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path / "home"), "store", action])

    assert ended.value.code == 2
    assert f"{action} takes one file" in capsys.readouterr().err
