"""Functions fail because of what they read from a database; then every server is gone, and they fail the same
way again. `make bench BENCH_FLAGS=capture/databases` does it with all functions of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from database_calls import fill
from database_corpus import FUNCTIONS, deploy, fail
from database_servers import MariaDb
from pull_servers import ForeignServer, Postgres, running
from relive_capture.explore.scene import read_scene
from relive_cli import Relive, relive_home
from relive_platform.replay import ReplayOptions, replay

SOME = ("kept_connection", "duplicate", "kept_asyncpg", "django_orm")


class Lab:
    """A home whose functions have failed; the server on it and the databases are gone."""

    def __init__(self, home: Relive, path: str) -> None:
        self.home = home
        self.failed: dict[str, str] = {}
        self.live: list[dict[str, Any]] = []
        with running(Postgres) as postgres, running(MariaDb) as mariadb, home.serving():
            fill({"POSTGRES": postgres.url, "MARIADB": str(mariadb.port), "FILE": path})
            deploy(home, postgres, mariadb, SOME)
            for name in SOME:
                self.failed[name] = fail(home, name)
                home.scene(self.failed[name])
            self._replay_live(mariadb)

    def _replay_live(self, mariadb: ForeignServer) -> None:
        """As the data is, and after somebody has changed it."""
        import pymysql

        self.live += self.home.json("replay", self.failed["duplicate"], "--live", check=False)
        place = {"host": "127.0.0.1", "port": mariadb.port, "user": "relive", "password": "relive"}
        with pymysql.connect(**place, database="shop", autocommit=True) as shop, shop.cursor() as cursor:
            cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            cursor.execute("DELETE FROM items WHERE id = 2")
            self.live += self.home.json("replay", self.failed["duplicate"], "--live", check=False)
            cursor.execute("SELECT name FROM items WHERE id = 2")
            self.written = cursor.fetchall()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with relive_home() as home:
        home.environment = {"RELIVE_WAITING_WORKERS": "0", "RELIVE_FROZEN_WORKERS": "0"}
        yield Lab(home, str(tmp_path_factory.mktemp("file") / "shop.db"))


def test_the_corpus_is_large() -> None:
    assert len(FUNCTIONS) >= 30
    assert set(SOME) < set(FUNCTIONS)


@pytest.mark.timeout(900)  # the first one runs all that the others look at
@pytest.mark.parametrize("name", SOME)
def test_the_same_failure_with_every_server_down(lab: Lab, name: str) -> None:
    scene = read_scene(lab.home.home / "scenes" / f"{lab.failed[name]}-1.scene")

    found = replay(scene, lab.home.home, ReplayOptions())

    run = found.runs[-1]
    assert (found.outcome, run.error_type, run.message) == ("same", run.error_type, run.message)
    assert run.calls.missing == []
    assert run.calls.unused == []


def test_with_live_the_database_of_today_is_asked_and_that_is_said(lab: Lab) -> None:
    same, passed = lab.live

    assert (same["outcome"], passed["outcome"]) == ("same", "passed")
    for found in lab.live:
        (note,) = [note for note in found["notes"] if note.startswith("live:")]
        assert "mysql://127.0.0.1:" in note
        assert "calls" not in found["runs"][-1] or not found["runs"][-1]["calls"].get("unused")
    # and what the function does is done: it has no transaction that it commits
    assert lab.written == ()


def test_statements_are_shown_with_parameters_and_rows(lab: Lab) -> None:
    shown = lab.home.run("failure", lab.failed["django_orm"]).stdout

    assert "SELECT" in shown
    assert "at postgresql://127.0.0.1:" in shown
    assert "3 rows" in shown
