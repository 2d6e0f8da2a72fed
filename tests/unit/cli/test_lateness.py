"""What was recorded and cannot be read yet is said, where otherwise "none" would be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from relive.output import Column
from relive.recorded.listing import emit_recorded
from relive.session import Session
from relive_base.errors import NotFound, UsageError

COLUMNS = [Column("name", "name")]


def session(home: Path, **store: object) -> Session:
    """On a server whose status says this of its store."""
    opened = Session.create(home, "127.0.0.1:1", {})
    opened._status = {
        "store": {"state": "ready", "lag_s": 0.0, "buffered_rows": 0, "spooled_rows": 0, **store}
    }
    return opened


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ({"lag_s": 377.2, "spooled_rows": 90, "buffered_rows": 2}, "the store is behind by 377 s"),
        ({"lag_s": 377.2, "spooled_rows": 90, "buffered_rows": 2}, "92 rows wait"),
        ({"state": "starting", "reason": "disk full"}, "the store is starting (disk full)"),
    ],
)
def test_no_rows_from_a_store_that_is_behind_is_not_none(tmp_path: Path, capsys, store, says: str) -> None:
    late = session(tmp_path, **store)

    assert emit_recorded(late, [], COLUMNS, function="", as_json=False, empty="no failures") == 0

    told = capsys.readouterr().err
    assert says in told
    assert "no failures" not in told


@pytest.mark.parametrize("as_json", [True, False])
def test_rows_of_a_store_that_is_behind_come_with_a_word(tmp_path: Path, capsys, as_json: bool) -> None:
    rows = [{"name": "f"}]

    emit_recorded(session(tmp_path, lag_s=12), rows, COLUMNS, function="", as_json=as_json, empty="none")

    told = capsys.readouterr()
    assert "f" in told.out
    assert "behind by 12 s" in told.err


def test_a_store_that_has_all_says_none(tmp_path: Path, capsys) -> None:
    emit_recorded(session(tmp_path, lag_s=0.2), [], COLUMNS, function="", as_json=False, empty="no failures")

    assert capsys.readouterr().err == "no failures\n"


@pytest.mark.parametrize("wait", ["", "0", "30", "7.5s"])
def test_who_reads_waits_as_long_as_is_said(tmp_path: Path, wait: str) -> None:
    opened = Session.create(tmp_path, "127.0.0.1:1", {"RELIVE_READ_WAIT_S": wait})
    asked: list[float] = []
    opened._control = SimpleNamespace(status=lambda flush_s: asked.append(flush_s) or {})

    opened._settle()

    assert asked == [{"": 5.0, "0": 0.0, "30": 30.0, "7.5s": 7.5}[wait]]


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "1e9", "inf"])
def test_what_is_no_time_to_wait_is_an_error_with_its_variable(tmp_path: Path, wait: str) -> None:
    opened = Session.create(tmp_path, "127.0.0.1:1", {"RELIVE_READ_WAIT_S": wait})

    with pytest.raises(UsageError) as caught:
        opened._settle()

    assert caught.value.where == "RELIVE_READ_WAIT_S"
    assert wait in caught.value.message


def test_without_a_server_what_it_left_for_the_store_is_said(tmp_path: Path, capsys) -> None:
    home = Session.create(tmp_path, "", {})
    assert home.lateness() == ""
    (tmp_path / "spool" / "bad").mkdir(parents=True)
    (tmp_path / "spool" / "bad" / "0001.batch").write_bytes(b"x")  # nothing waits for this one
    assert home.lateness() == ""

    (tmp_path / "spool" / "1").mkdir(parents=True)
    (tmp_path / "spool" / "1" / "0001.batch").write_bytes(b"x")

    assert "1 file of telemetry waits for a server" in home.lateness()


def test_an_id_that_is_not_found_may_be_on_its_way(tmp_path: Path, monkeypatch) -> None:
    import click
    from relive import group

    late = session(tmp_path, lag_s=30)
    late._store = object()  # type: ignore[assignment]  # it was opened: the command has read
    monkeypatch.setattr(Session, "close", lambda self: None)

    @click.command()
    def command() -> None:
        raise NotFound("no failure's id begins with 'x'", hint="list them: relive failures")

    monkeypatch.setattr(group._LazyGroup, "get_command", lambda self, ctx, name: command)
    monkeypatch.setattr(Session, "create", classmethod(lambda cls, *_: late))
    with pytest.raises(NotFound, match="behind by 30 s") as caught:
        group.cli.main(["failure"], standalone_mode=False)
    assert "relive failures" in caught.value.hint
