"""Redis streams as a trigger, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pull_rig import lose_an_ack, rigged
from pull_servers import ForeignServer, Redis, running
from relive_platform.triggers.pull.redis.config import RedisTrigger
from relive_platform.triggers.pull.redis.connector import RedisConnector
from signal_clients import queries_redis, with_signals

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server() -> Iterator[ForeignServer]:
    with running(Redis) as found:
        yield found


def client(server: ForeignServer) -> Any:
    import redis

    return redis.Redis(port=server.port)


async def test_entries_become_events_and_are_acknowledged(server: ForeignServer, tmp_path: Path) -> None:
    # Given a stream with entries from before, one of them no text
    redis = client(server)
    redis.xadd("a", {"n": "1", "traceparent": TRACE})
    redis.xadd("a", {"n": b"\xff\x00"})
    async with rigged(tmp_path) as rig:
        # When a function has the stream, and another entry comes
        await rig.serve(f=RedisTrigger(url=server.url, stream="a"))
        first = await rig.events(2)
        redis.xadd("a", {"n": "3"})
        second = await rig.events(1)
        # I expect each once, with its id, and nothing pending
        records = [record for event in first + second for record in event["records"]]
        assert [record["fields"]["n"] for record in records] == ["1", "/wA=", "3"]
        assert records[1]["base64Fields"] == ["n"]
        [group] = redis.xinfo_groups("a")
        await rig.until(lambda: redis.xinfo_groups("a")[0]["pending"] == 0)
        await rig.until(lambda: rig.state().behind == 0)
        assert group["name"].startswith(b"relive-")


async def test_an_entry_whose_acknowledgement_was_lost_is_no_second_event(
    server: ForeignServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection that is lost after an event is committed, before its source hears of it
    redis = client(server)
    for number in range(3):
        redis.xadd("b", {"n": str(number)})
    lose_an_ack(monkeypatch, RedisConnector)
    async with rigged(tmp_path) as rig:
        await rig.serve(f=RedisTrigger(url=server.url, stream="b", batch_size=1))
        # I expect each entry once, and all of them acknowledged in the end
        found = [event["records"][0]["fields"]["n"] for event in await rig.events(3)]
        assert sorted(found) == ["0", "1", "2"]
        await rig.until(lambda: redis.xinfo_groups("b")[0]["pending"] == 0)
        assert (rig.state().repeated, rig.state().reconnects) == (1, 1)
        assert not await rig.lease()


async def test_entries_of_a_consumer_that_is_gone_are_taken_over(
    server: ForeignServer, tmp_path: Path
) -> None:
    # Given another machine's consumer with an entry that it never acknowledged
    redis = client(server)
    redis.xadd("c", {"n": "1"})
    redis.xgroup_create("c", "g", "0")
    redis.xreadgroup("g", "elsewhere", {"c": ">"})
    async with rigged(tmp_path) as rig:
        await rig.serve(f=RedisTrigger(url=server.url, stream="c", group="g", claim_after_s=1.0))
        # I expect it to come once it has been idle
        [event] = await rig.events(1)
        assert event["records"][0]["fields"] == {"n": "1"}


async def test_the_stream_goes_and_comes_back(server: ForeignServer, tmp_path: Path) -> None:
    # Given a trigger whose server is killed
    redis = client(server)
    async with rigged(tmp_path) as rig:
        await rig.serve(f=RedisTrigger(url=server.url, stream="d"))
        await rig.until(lambda: rig.state().state == "running")
        server.kill()
        # I expect its state to say so, and to take what comes once it is back
        await rig.until(lambda: rig.state().state == "waiting")
        assert rig.state().error
        server.start()
        redis.xadd("d", {"n": "1"})
        [event] = await rig.events(1)
        assert event["records"][0]["fields"] == {"n": "1"}
        await rig.until(lambda: (rig.state().state, rig.state().error) == ("running", ""))


async def test_trimmed_entries_and_a_long_stream_are_told(server: ForeignServer, tmp_path: Path) -> None:
    # Given a function that takes nothing, and a stream that is trimmed below what it has read
    redis = client(server)
    redis.xadd("e", {"n": "0"})
    trigger = RedisTrigger(url=server.url, stream="e", batch_size=1, in_flight=1, warn_length=2)
    async with rigged(tmp_path) as rig:
        await rig.serve(f=trigger)
        await rig.until(lambda: rig.state().committed == 1)
        for number in range(20):
            redis.xadd("e", {"n": str(number)})
        await rig.until(lambda: "has 21 entries" in rig.state().warning)
        await rig.until(lambda: rig.state().held == 2)  # two batches, and no more
        redis.xtrim("e", maxlen=2, approximate=False)
        # I expect a warning, by its id
        await rig.until(lambda: "were trimmed before they were read" in rig.state().warning)


async def test_an_entry_that_is_too_large_for_an_event_comes_without_its_fields(
    server: ForeignServer, tmp_path: Path
) -> None:
    # Given an entry over the limit of an event between two small ones
    redis = client(server)
    for value in ("1", "x" * 50_000, "3"):
        redis.xadd("f", {"n": value})
    async with rigged(tmp_path, event_bytes=20_000) as rig:
        await rig.serve(f=RedisTrigger(url=server.url, stream="f"))
        records = [record for event in await rig.events(3) for record in event["records"]]
        # I expect all three, and the large one with its id and its size
        assert [record["fields"] and record["fields"]["n"] for record in records] == ["1", None, "3"]
        assert records[1]["omitted"]["bytes"] > 50_000
        await rig.until(lambda: redis.xinfo_groups("f")[0]["pending"] == 0)
        assert rig.state().omitted == 1


@pytest.mark.parametrize("threads", [False, True], ids=["restarted", "interrupted"])
def test_a_client_gets_the_same_under_the_samplers_signals(server: ForeignServer, threads: bool) -> None:
    expected = queries_redis(server.url)
    found, looks = with_signals(lambda: queries_redis(server.url), threads)
    assert found == expected
    assert looks
