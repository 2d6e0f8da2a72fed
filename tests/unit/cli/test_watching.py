"""When a watched folder counts as changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from relive.commands.functions.deploy import trigger_lines
from relive.server.watching import changes, snapshot


def test_files_that_change_in_a_row_are_one_change(tmp_path: Path) -> None:
    # Given somebody who saves three files while time passes, and then none
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: (tmp_path / "a.py").write_text("1"),
        lambda: (tmp_path / "b.py").write_text("2"),
        lambda: None,
        lambda: (tmp_path / "a.py").unlink(),
        lambda: None,
    ]
    passed: list[int] = []

    def wait(seconds: float) -> None:
        steps[len(passed)]()
        passed.append(0)

    found = changes(tmp_path, {".git"}, wait)

    next(found)
    assert not passed  # the first deploy is at once
    next(found)
    assert len(passed) == 4  # when all is at rest
    next(found)
    assert len(passed) == 6


def test_what_is_no_code_is_not_looked_at(tmp_path: Path) -> None:
    for name in (".git/HEAD", "__pycache__/a.pyc", "a.pyc", "a.py~", "a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    assert set(snapshot(tmp_path, {".git", "__pycache__"})) == {str(tmp_path / "a.py")}
    assert set(snapshot(tmp_path / "a.py", ())) == {str(tmp_path / "a.py")}  # a zip
    assert snapshot(tmp_path / "gone", ()) == {}


def test_routes_are_whole_urls() -> None:
    row = {
        "url": "http://127.0.0.1:8700/fn/shop/",
        "triggers": ["http GET,POST /cart/{id}", "http * /all", "queue orders", "timer rate(1 day)"],
        "next_run_at": 0,
    }

    assert list(trigger_lines(row)) == [
        "GET,POST http://127.0.0.1:8700/cart/{id}",
        "any method http://127.0.0.1:8700/all",
        "queue orders",
        "timer rate(1 day)",
    ]
