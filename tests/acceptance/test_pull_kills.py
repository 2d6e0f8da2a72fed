"""kill -9 of Relive and of the source that it pulls from: a short one of `tests/support/pull_kills.py`."""

from __future__ import annotations

from pathlib import Path

from pull_kills import PullKills
from pull_producers import RedisProducer
from pull_servers import Redis, running


def test_nothing_is_lost_by_a_kill_of_relive_or_of_the_source(tmp_path: Path) -> None:
    # Given a producer that never stops, and a function that has its records
    with running(Redis) as server:
        kills = PullKills(tmp_path, RedisProducer(server), seed=3)
        try:
            kills.start()
            kills.deploy()
            kills.begin()
            # When the source and Relive are killed in the middle of it
            kills.round("source")
            kills.round("relive")
            found = kills.settle()
        finally:
            kills.finish()
            kills.stop()
    # I expect each record that the source has taken, in one event
    assert found.produced
    assert (found.missing, found.twice) == ([], [])
