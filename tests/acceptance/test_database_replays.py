"""Functions fail because of what they read from a database; then every server is gone, and they fail the same
way again. `make bench BENCH_FLAGS=capture/databases` does it with all functions of the corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from database_calls import fill
from database_corpus import FUNCTIONS, deploy, fail
from database_servers import MariaDb
from pull_servers import Postgres, running
from relive_capture.explore.scene import read_scene
from relive_cli import Relive, relive_home
from relive_platform.replay import ReplayOptions, replay

SOME = ("kept_connection", "duplicate", "kept_asyncpg", "django_orm")


class Lab:
    """A home whose functions have failed; the server on it and the databases are gone."""

    def __init__(self, home: Relive, path: str) -> None:
        self.home = home
        self.failed: dict[str, str] = {}
        with running(Postgres) as postgres, running(MariaDb) as mariadb, home.serving():
            fill({"POSTGRES": postgres.url, "MARIADB": str(mariadb.port), "FILE": path})
            deploy(home, postgres, mariadb, SOME)
            for name in SOME:
                self.failed[name] = fail(home, name)
                home.scene(self.failed[name])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with relive_home() as home:
        home.environment = {"RELIVE_WAITING_WORKERS": "0", "RELIVE_FROZEN_WORKERS": "0"}
        yield Lab(home, str(tmp_path_factory.mktemp("file") / "shop.db"))


def test_the_corpus_is_large() -> None:
    assert len(FUNCTIONS) >= 30
    assert set(SOME) < set(FUNCTIONS)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SOME)
def test_the_same_failure_with_every_server_down(lab: Lab, name: str) -> None:
    scene = read_scene(lab.home.home / "scenes" / f"{lab.failed[name]}-1.scene")

    found = replay(scene, lab.home.home, ReplayOptions())

    run = found.runs[-1]
    assert (found.outcome, run.error_type, run.message) == ("same", run.error_type, run.message)
    assert run.calls.missing == []
    assert run.calls.unused == []


def test_statements_are_shown_with_parameters_and_rows(lab: Lab) -> None:
    shown = lab.home.run("failure", lab.failed["django_orm"]).stdout

    assert "SELECT" in shown
    assert "at postgresql://127.0.0.1:" in shown
    assert "3 rows" in shown
