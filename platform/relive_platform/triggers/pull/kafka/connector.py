"""Kafka topics as a source: a member of a consumer group, whose offsets follow our commits."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from relive_platform.triggers.pull.connector import Lag, Record
from relive_platform.triggers.pull.kafka.address import client_options, servers_of
from relive_platform.triggers.pull.kafka.config import KafkaTrigger
from relive_platform.triggers.pull.kafka.sparing import spare_lines

__all__ = ["KafkaConnector"]

_START: Final = {"oldest": "earliest", "newest": "latest"}
_TIMESTAMPS: Final = ("CREATE_TIME", "LOG_APPEND_TIME")
_TRACE: Final = ("traceparent", "tracestate", "baggage")


class KafkaConnector:
    """One member of a group. A partition whose batches wait is paused, the others go on."""

    extend_s = 0.0  # aiokafka's heartbeat does it
    keep_s = 600.0
    answer_s = 60.0

    def __init__(self, trigger: KafkaTrigger, address: str, tag: str) -> None:
        import aiokafka
        from aiokafka.abc import ConsumerRebalanceListener

        spare_lines()
        self._kafka = aiokafka
        self._trigger = trigger
        self._servers = servers_of(address)
        self._options = client_options(address)
        self._group = trigger.group or f"relive-{tag}"
        self._consumer: Any = None
        self._terms: dict[Any, int] = {}  # partition -> how often it was given to us
        self._acked: dict[Any, int] = {}  # partition -> the next offset
        self._lost = ""
        outer = self

        class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
            """Partitions come and go."""

            async def on_partitions_revoked(self, revoked: Any) -> None:
                outer._revoked(revoked)

            async def on_partitions_assigned(self, assigned: Any) -> None:
                for partition in assigned:
                    outer._terms[partition] = outer._terms.get(partition, 0) + 1

        self._listener = Listener()

    def _revoked(self, partitions: Collection[Any]) -> None:
        for partition in partitions:
            self._terms[partition] = self._terms.get(partition, 0) + 1
            self._acked.pop(partition, None)

    async def open(self) -> None:
        """Join the group."""
        self._consumer = self._kafka.AIOKafkaConsumer(
            group_id=self._group,
            client_id="relive",
            enable_auto_commit=False,
            auto_offset_reset=_START[self._trigger.start],
            max_partition_fetch_bytes=4 * 1024 * 1024,
            **self._options,
        )
        self._consumer.subscribe(list(self._trigger.topics), listener=self._listener)
        await self._consumer.start()

    async def fetch(self, count: int, wait_s: float, full: frozenset[str]) -> list[Record]:
        consumer = self._consumer
        for partition in consumer.assignment():
            paused = partition in consumer.paused()
            if _lane(partition) in full:
                if not paused:
                    consumer.pause(partition)
            elif paused:
                consumer.resume(partition)
        found = await consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=count)
        return [
            _record(message, partition, self._terms.get(partition, 0))
            for partition, messages in found.items()
            for message in messages
        ]

    def holds(self, record: Record) -> bool:
        partition, _, term = record.handle
        return partition in self._consumer.assignment() and self._terms.get(partition, 0) == term

    async def ack(self, records: Sequence[Record]) -> None:
        offsets: dict[Any, int] = {}
        for record in records:
            if self.holds(record):
                partition, offset, _ = record.handle
                offsets[partition] = max(offset + 1, offsets.get(partition, 0))
        if offsets:
            await self._consumer.commit(offsets)
            self._acked.update(offsets)

    async def nak(self, records: Sequence[Record]) -> None:
        """Nothing was committed: whoever gets the partition begins there."""

    async def extend(self, records: Sequence[Record]) -> None:
        """The heartbeat does."""

    async def lag(self) -> Lag:
        consumer = self._consumer
        assigned = list(consumer.assignment())
        details: dict[str, Any] = {"group": self._group, "partitions": len(assigned)}
        missing = [topic for topic in self._trigger.topics if not consumer.partitions_for_topic(topic)]
        if missing:
            return Lag(None, "records", f"there is no topic {', '.join(missing)}", details)
        if not assigned:
            return Lag(None, "records", "", details)
        ends = await consumer.end_offsets(assigned)
        begins = await consumer.beginning_offsets(assigned)
        behind = 0
        for partition in assigned:
            at = self._acked.get(partition)
            if at is None:
                at = await consumer.committed(partition)
            if at is None:
                at = begins[partition] if self._trigger.start == "oldest" else ends[partition]
            if at < begins[partition]:
                lost = begins[partition] - at
                self._lost = (
                    f"{lost:,} records of {_lane(partition)} were removed by Kafka before they were read"
                )
            behind += max(ends[partition] - max(at, begins[partition]), 0)
        return Lag(behind, "records", self._lost, details)

    def envelope(self, records: Sequence[Record], encoded: Sequence[Any]) -> Any:
        """As AWS Lambda's for a Kafka of one's own."""
        lanes: dict[str, list[Any]] = {}
        for record, raw in zip(records, encoded, strict=True):
            lanes.setdefault(record.lane, []).append(raw)
        return {"eventSource": "SelfManagedKafka", "bootstrapServers": self._servers, "records": lanes}

    async def close(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()


def _lane(partition: Any) -> str:
    return f"{partition.topic}-{partition.partition}"


def _record(message: Any, partition: Any, term: int) -> Record:
    value: bytes | None = message.value
    traced: dict[str, str] = {}
    for name, content in message.headers:
        if name.lower() in _TRACE:
            traced.setdefault(name.lower(), (content or b"").decode("latin-1"))
    when = _time(message.timestamp)
    digest = hashlib.blake2b(value or b"", digest_size=4).hexdigest()
    data = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp,
        "timestampType": _TIMESTAMPS[message.timestamp_type or 0],
        "key": None if message.key is None else base64.b64encode(message.key).decode(),
        "value": None if value is None else base64.b64encode(value).decode(),
        "headers": [{name: list(content or b"")} for name, content in message.headers],
    }
    return Record(
        mark=f"{_lane(partition)}:{message.offset}:{message.timestamp}:{digest}",
        data=data,
        contents=("value", "headers"),
        type="kafka.record",
        source=f"/kafka/{message.topic}",
        subject=f"{message.partition}",
        time=when,
        payload=value,
        lane=_lane(partition),
        handle=(partition, message.offset, term),
        traceparent=traced.get("traceparent", ""),
        tracestate=traced.get("tracestate", ""),
        baggage=traced.get("baggage", ""),
    )


def _time(millis: int) -> str:
    try:
        return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    except (OverflowError, ValueError, OSError):
        return ""
