"""NATS JetStream as a source: a durable pull consumer."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from relive_platform.triggers.pull.connector import Lag, PullError, Record, SetupError
from relive_platform.triggers.pull.nats.config import NatsTrigger
from relive_platform.triggers.pull.shapes import as_text

__all__ = ["NatsConnector"]

_CONNECT_S: Final = 10
_AGAIN_S: Final = 0.2
_MIN_FETCH_S: Final = 0.05
_OLDEST_FIRST: Final = {"oldest": "all", "newest": "new"}


class NatsConnector:
    """One connection. It does not reconnect by itself: a lost one raises, and the puller opens another."""

    keep_s = 600.0
    answer_s = 60.0

    def __init__(self, trigger: NatsTrigger, address: str, tag: str) -> None:
        import nats
        import nats.errors
        import nats.js.errors

        self._nats = nats
        self._missing = nats.js.errors.NotFoundError
        self._none = (nats.errors.TimeoutError, TimeoutError)
        self._trigger = trigger
        self._address = address
        self._durable = trigger.durable or f"relive-{tag}"
        self.extend_s = trigger.ack_wait_s / 3
        self._stream = trigger.stream
        self._client: Any = None
        self._subscription: Any = None
        self._lost = ""

    async def open(self) -> None:
        """Connect, find the stream, make or change the consumer."""
        self._client = await self._nats.connect(
            servers=[server.strip() for server in self._address.split(",")],
            name="relive",
            connect_timeout=_CONNECT_S,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # of each server; with 0 it would try for ever
            reconnect_time_wait=_AGAIN_S,
            error_cb=_quiet,
            closed_cb=_closed,
            disconnected_cb=_closed,
        )
        jetstream = self._client.jetstream(timeout=_CONNECT_S)
        trigger = self._trigger
        try:
            self._stream = trigger.stream or await jetstream.find_stream_name_by_subject(trigger.subject)
            await jetstream.stream_info(self._stream)
        except self._missing as error:
            what = (
                f"stream {trigger.stream!r}"
                if trigger.stream
                else f"stream with the subject {trigger.subject!r}"
            )
            raise SetupError(f"there is no {what}", hint="make it: nats stream add") from error
        await self._consumer(jetstream)
        self._subscription = await jetstream.pull_subscribe_bind(self._durable, stream=self._stream)

    async def _consumer(self, jetstream: Any) -> None:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        trigger = self._trigger
        try:
            info = await jetstream.consumer_info(self._stream, self._durable)
        except self._missing:
            config = ConsumerConfig(
                durable_name=self._durable,
                deliver_policy=DeliverPolicy(_OLDEST_FIRST[trigger.start]),
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=trigger.ack_wait_s,
                max_deliver=-1,
                max_ack_pending=max(2 * trigger.batch_size, 1_000),
                filter_subject=trigger.subject,
                description="made by Relive",
            )
            await jetstream.add_consumer(self._stream, config=config)
            return
        config = info.config
        if config.ack_policy != AckPolicy.EXPLICIT or config.deliver_subject:
            message = f"the consumer {self._durable} is no pull consumer with explicit acknowledgement"
            raise SetupError(message, hint="name another one with `durable`")
        if config.ack_wait != trigger.ack_wait_s:
            config.ack_wait = trigger.ack_wait_s
            await jetstream.add_consumer(self._stream, config=config)

    async def fetch(self, count: int, wait_s: float, full: frozenset[str]) -> list[Record]:
        if not self._client.is_connected:
            raise PullError("the connection to NATS is lost")
        try:
            messages = await self._subscription.fetch(count, timeout=max(wait_s, _MIN_FETCH_S))
        except self._none:
            return []
        return [_record(message) for message in messages]

    def holds(self, record: Record) -> bool:
        return True

    async def ack(self, records: Sequence[Record]) -> None:
        for record in records:
            await record.handle.ack()
        await self._client.flush(_CONNECT_S)  # the server has them

    async def nak(self, records: Sequence[Record]) -> None:
        for record in records:
            await record.handle.nak()
        await self._client.flush(_CONNECT_S)

    async def extend(self, records: Sequence[Record]) -> None:
        for record in records:
            await record.handle.in_progress()

    async def lag(self) -> Lag:
        info = await self._subscription.consumer_info()
        stream = await self._client.jetstream(timeout=_CONNECT_S).stream_info(self._stream)
        delivered, first = info.delivered.stream_seq, stream.state.first_seq
        if 0 < delivered < first - 1 and stream.config.retention == "limits":
            self._lost = f"messages up to {first - 1} were removed by the stream's limits, maybe unread"
        warning = self._lost
        if not warning and stream.config.storage == "memory":
            warning = "the stream is in memory: its messages do not survive NATS"
        details = {
            "stream": self._stream,
            "consumer": self._durable,
            "unacknowledged": info.num_ack_pending,
            "stream_bytes": stream.state.bytes,
        }
        return Lag(info.num_pending + info.num_ack_pending, "records", warning, details)

    def envelope(self, records: Sequence[Record], encoded: Sequence[Any]) -> Any:
        return {"eventSource": "relive:nats", "stream": self._stream, "records": list(encoded)}

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def _record(message: Any) -> Record:
    about = message.metadata
    headers: Mapping[str, str] = message.headers or {}
    lower = {name.lower(): value for name, value in headers.items()}
    body: bytes = message.data
    text = as_text(body)
    when: datetime = about.timestamp
    stamp = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data = {
        "stream": about.stream,
        "subject": message.subject,
        "sequence": about.sequence.stream,
        "timestamp": stamp,
        "headers": dict(headers),
        "data": base64.b64encode(body).decode() if text is None else text,
        "isBase64Encoded": text is None,
    }
    return Record(
        mark=f"{about.stream}:{about.sequence.stream}:{int(when.timestamp() * 1000)}",
        data=data,
        contents=("data", "headers"),
        type="nats.message",
        source=f"/nats/{about.stream}",
        subject=message.subject,
        time=stamp,
        payload=body,
        traceparent=lower.get("traceparent", ""),
        tracestate=lower.get("tracestate", ""),
        baggage=lower.get("baggage", ""),
        handle=message,
    )


async def _quiet(error: Exception) -> None:
    """The puller hears of it when it asks next."""


async def _closed() -> None:
    """As above."""
