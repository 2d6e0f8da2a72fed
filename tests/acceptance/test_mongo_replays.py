"""Functions fail because of what they read from MongoDB; then the server is gone, and they fail the same way
again. `make bench BENCH_FLAGS=capture/databases` does it with all functions of the corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mongo_calls import fill
from mongo_corpus import FUNCTIONS, deploy, fail
from mongo_server import Mongo
from pull_servers import running
from relive_cli import Relive, relive_home

SOME = ("later_batch", "kept_client", "together")


@pytest.fixture(scope="module")
def failed() -> Iterator[tuple[Relive, dict[str, str]]]:
    """A home whose functions have failed; the server on it and MongoDB are gone."""
    with relive_home() as home:
        home.environment = {"RELIVE_WAITING_WORKERS": "0", "RELIVE_FROZEN_WORKERS": "0"}
        with running(Mongo) as mongo, home.serving():
            fill(mongo.url)
            deploy(home, mongo, SOME)
            found = {name: fail(home, name) for name in SOME}
            for invocation_id in found.values():
                home.scene(invocation_id)
        yield home, found


def test_the_corpus_is_large() -> None:
    assert len(FUNCTIONS) >= 12
    assert set(SOME) < set(FUNCTIONS)


@pytest.mark.timeout(900)  # the first one runs all that the others look at
@pytest.mark.parametrize("name", SOME)
def test_the_same_failure_with_the_server_down(failed: tuple[Relive, dict[str, str]], name: str) -> None:
    home, ids = failed

    (found,) = home.json("replay", ids[name], check=False)

    assert found["outcome"] == "same", found
    calls = found["runs"][-1]["calls"]
    assert (calls.get("missing", []), calls.get("unused", [])) == ([], [])


def test_commands_are_shown_with_what_they_asked(failed: tuple[Relive, dict[str, str]]) -> None:
    home, ids = failed

    shown = home.run("failure", ids["later_batch"]).stdout

    assert "update shop.items  {ordered: true, updates: [{q: {_id: 43}, u: {$unset: {price: 1}}" in shown
    assert "10 documents  getMore shop.items" in shown
    assert "at mongodb://127.0.0.1:" in shown
