"""NATS JetStream as a trigger, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pull_rig import lose_an_ack, rigged
from pull_servers import ForeignServer, Nats, running
from relive_platform.triggers.pull.nats.config import NatsTrigger
from relive_platform.triggers.pull.nats.connector import NatsConnector

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server() -> Iterator[ForeignServer]:
    with running(Nats) as found:
        yield found


@pytest.fixture
async def jetstream(server: ForeignServer, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """With a stream of the test's own: subjects NAME.>"""
    import nats
    from nats.js.api import StreamConfig

    client = await nats.connect(server.url)
    found = client.jetstream()
    name = request.node.name[:60]
    await found.add_stream(StreamConfig(name=name, subjects=[f"{name}.>"]))
    found.name = name
    yield found
    await client.close()


def trigger(server: ForeignServer, jetstream: Any, **more: Any) -> NatsTrigger:
    """Of that stream."""
    return NatsTrigger(url=server.url, subject=f"{jetstream.name}.>", **more)


async def test_messages_become_events(server: ForeignServer, jetstream: Any, tmp_path: Path) -> None:
    # Given messages of two traces, one of them no text
    name = jetstream.name
    await jetstream.publish(f"{name}.a", b'{"n": 1}', headers={"traceparent": TRACE})
    await jetstream.publish(f"{name}.b", b"\xff\x00", headers={"Traceparent": OTHER})
    async with rigged(tmp_path) as rig:
        await rig.serve(f=trigger(server, jetstream, batch_window_s=60, batch_size=2))
        leases: list[Any] = []
        while not leases:
            leases = await rig.lease()
        # I expect one event of both, in a trace of its own, with a link for each
        [event] = [lease.event for lease in leases]
        assert [f"00-{link.trace_id}-{link.span_id}-01" for link in event.links] == [TRACE, OTHER]
        assert event.trace_id not in (TRACE.split("-")[1], OTHER.split("-")[1], "")
        await rig.until(lambda: rig.state().behind == 0)


async def test_a_message_whose_acknowledgement_was_lost_is_no_second_event(
    server: ForeignServer, jetstream: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection that is lost after our commit
    lose_an_ack(monkeypatch, NatsConnector)
    for number in range(3):
        await jetstream.publish(f"{jetstream.name}.a", b"%d" % number)
    async with rigged(tmp_path) as rig:
        await rig.serve(f=trigger(server, jetstream, batch_size=1, ack_wait_s=1.0))
        found = [event["records"][0]["data"] for event in await rig.events(3)]
        # I expect each once, all acknowledged
        assert sorted(found) == ["0", "1", "2"]
        await rig.until(lambda: rig.state().behind == 0 and rig.state().repeated)
        assert not await rig.lease()


async def test_a_stream_that_is_not_there_yet(server: ForeignServer, tmp_path: Path) -> None:
    # Given a trigger of a subject that no stream has
    async with rigged(tmp_path) as rig:
        await rig.serve(f=NatsTrigger(url=server.url, subject="nobody.has"))
        # I expect it to say so
        await rig.until(lambda: rig.state().state == "failed")
        assert "no stream with the subject 'nobody.has'" in rig.state().error


async def test_the_server_goes_and_comes_back(server: ForeignServer, jetstream: Any, tmp_path: Path) -> None:
    # Given a message that was not acknowledged when NATS was killed
    async with rigged(tmp_path) as rig:
        await rig.serve(f=trigger(server, jetstream, ack_wait_s=1.0))
        await rig.until(lambda: rig.state().state == "running")
        await jetstream.publish(f"{jetstream.name}.a", b"1")
        await rig.events(1)
        server.kill()
        await rig.until(lambda: rig.state().state == "waiting")
        server.start()
        import nats

        client = await nats.connect(server.url)
        await client.jetstream().publish(f"{jetstream.name}.a", b"2")
        # I expect what comes then
        [event] = await rig.events(1)
        assert event["records"][0]["data"] == "2"
        await client.close()
