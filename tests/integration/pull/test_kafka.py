"""Kafka topics as a trigger, against a broker that speaks its protocol."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pull_rig import Rig, rigged
from pull_servers import ForeignServer, Kafka, running
from relive_platform.triggers.pull.kafka.config import KafkaTrigger

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server() -> Iterator[ForeignServer]:
    with running(Kafka) as found:
        yield found


async def produce(server: ForeignServer, records: list[tuple[Any, ...]]) -> None:
    """(topic, partition, value, headers) each; the topics have two partitions."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    address = f"127.0.0.1:{server.port}"
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1) for topic in ("shapes", "order")])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for topic, partition, value, *headers in records:
            await producer.send_and_wait(topic, value, b"k", partition=partition, headers=headers)


async def test_records_become_events_in_the_order_of_their_partition(
    server: ForeignServer, tmp_path: Path
) -> None:
    # Given records in two topics, a tombstone among them; a group takes 5 s to form
    shapes = [
        ("shapes", 0, b'{"n": 1}', ("traceparent", TRACE.encode())),
        ("shapes", 0, None),
        ("shapes", 1, b"\xff"),
    ]
    await produce(server, [*shapes, *(("order", 0, b"%d" % number) for number in range(10))])
    async with rigged(tmp_path) as rig:
        await rig.serve(
            f=KafkaTrigger(url=server.url, topics=("shapes",)),
            g=KafkaTrigger(url=server.url, topics=("order",), batch_size=2),
        )
        await _in_order(rig, server)
        await _in_shape(rig)
        # I expect both groups to have caught up
        await rig.until(lambda: (rig.state("f").behind, rig.state("g").behind) == (0, 0))


async def _in_order(rig: Rig, server: ForeignServer) -> None:
    # When a function does not end the first batch of a partition
    held = await rig.hold("g")
    await produce(server, [("order", 1, b"%d" % number) for number in range(4)])
    others = [event for event in await rig.events(7) if "order-1" in event["records"]]
    # I expect the other partition whole, of this one no further batch, and then the rest in order
    assert sum(len(event["records"]["order-1"]) for event in others) == 4
    assert not await rig.lease()
    await asyncio.wrap_future(rig.queue.complete(held))
    rest = [record for event in await rig.events(8) for record in event["records"]["order-0"]]
    assert [int(base64.b64decode(record["value"])) for record in rest] == list(range(2, 10))


async def _in_shape(rig: Rig) -> None:
    # I expect the events of AWS Lambda
    seen = [event for event in rig.seen if any(lane.startswith("shapes") for lane in event["records"])]
    lanes: dict[str, list[Any]] = {}
    for event in seen:
        assert event["eventSource"] == "SelfManagedKafka"
        for lane, found in event["records"].items():
            lanes.setdefault(lane, []).extend(found)
    first, tombstone = lanes["shapes-0"]
    assert base64.b64decode(first["value"]) == b'{"n": 1}'
    assert (tombstone["value"], tombstone["offset"]) == (None, 1)
    assert bytes(first["headers"][0]["traceparent"]).decode() == TRACE
    assert lanes["shapes-1"][0]["value"] == "/w=="
