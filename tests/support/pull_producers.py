"""Who writes records to a source, and knows which of them it has taken."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar, LiteralString

from pull_servers import ApacheKafka, ForeignServer, Kafka, Nats, Postgres, Redis

__all__ = ["PRODUCERS", "Producer"]

_LIMIT_S = 10.0
_PUBLISH_S = 2.0  # then it is not known whether it was taken


class Producer:
    """`send` returns once the source has the record; it raises if that is not known."""

    kind: ClassVar[type[ForeignServer]]

    def __init__(self, server: ForeignServer) -> None:
        self.server = server
        self.client: Any = None

    @classmethod
    def server_kind(cls, **more: Any) -> type[ForeignServer]:
        """What to run."""
        return cls.kind

    @property
    def trigger(self) -> dict[str, Any]:
        """Of `relive.toml`."""
        raise NotImplementedError

    def send(self, number: str) -> None:
        """One record."""
        raise NotImplementedError


class PostgresProducer(Producer):
    """Rows of a table."""

    kind = Postgres
    table = "orders"

    def __init__(self, server: ForeignServer) -> None:
        super().__init__(server)
        import psycopg

        self._connect = lambda: psycopg.connect(server.url, autocommit=True, connect_timeout=5)
        with self._connect() as connection:
            connection.execute(self.statement("CREATE TABLE {} (id bigserial PRIMARY KEY, n text)"))

    def statement(self, text: LiteralString) -> Any:
        """About the table."""
        from psycopg.sql import SQL, Identifier

        return SQL(text).format(Identifier(self.table))

    @property
    def trigger(self) -> dict[str, Any]:
        return {"type": "postgres", "url": "env:SOURCE_URL", "tables": [self.table], "poll_s": 0.02}

    def send(self, number: str) -> None:
        try:
            if self.client is None:
                self.client = self._connect()
            self.client.execute(self.statement("INSERT INTO {} (n) VALUES (%s)"), (number,))
        except Exception:
            self.client = None
            raise


class OutboxProducer(PostgresProducer):
    """Rows of an outbox."""

    table = "outbox"

    @property
    def trigger(self) -> dict[str, Any]:
        return {"type": "postgres", "url": "env:SOURCE_URL", "outbox": self.table, "poll_s": 0.02}


class RedisProducer(Producer):
    """Entries of a stream."""

    kind = Redis

    def __init__(self, server: ForeignServer) -> None:
        super().__init__(server)
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.client = redis.Redis(port=server.port, socket_timeout=_LIMIT_S, retry=Retry(NoBackoff(), 0))

    @property
    def trigger(self) -> dict[str, Any]:
        return {"type": "redis", "url": "env:SOURCE_URL", "stream": "orders"}

    def send(self, number: str) -> None:
        self.client.xadd("orders", {"n": number})


class AsyncProducer(Producer):
    """Its client has a loop in a thread."""

    def __init__(self, server: ForeignServer) -> None:
        super().__init__(server)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def wait(self, work: Any) -> Any:
        """For a coroutine of the client."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60.0)


class NatsProducer(AsyncProducer):
    """Messages of a stream."""

    kind = Nats

    def __init__(self, server: ForeignServer) -> None:
        super().__init__(server)
        self.wait(self._open())

    async def _open(self) -> None:
        import nats
        from nats.js.api import StreamConfig

        self.client = await nats.connect(self.server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
        await self.client.jetstream().add_stream(StreamConfig(name="ORDERS", subjects=["orders"]))

    @property
    def trigger(self) -> dict[str, Any]:
        return {"type": "nats", "url": "env:SOURCE_URL", "subject": "orders", "ack_wait_s": 2.0}

    def send(self, number: str) -> None:
        self.wait(self.client.jetstream(timeout=_PUBLISH_S).publish("orders", number.encode()))


class KafkaProducer(AsyncProducer):
    """Records of a topic with two partitions."""

    kind = Kafka

    def __init__(self, server: ForeignServer) -> None:
        super().__init__(server)
        self.wait(self._open())

    @classmethod
    def server_kind(cls, *, libs: str = "", **more: Any) -> type[ForeignServer]:
        return ApacheKafka.of(libs) if libs else Kafka

    async def _open(self) -> None:
        from aiokafka import AIOKafkaProducer
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic

        address = f"127.0.0.1:{self.server.port}"
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        await admin.create_topics([NewTopic("orders", 2, 1)])
        await admin.close()
        self.client = AIOKafkaProducer(bootstrap_servers=address, acks="all")
        await self.client.start()

    @property
    def trigger(self) -> dict[str, Any]:
        return {"type": "kafka", "url": "env:SOURCE_URL", "topics": ["orders"]}

    def send(self, number: str) -> None:
        self.wait(self.client.send_and_wait("orders", number.encode(), partition=int(number) % 2))


PRODUCERS: dict[str, type[Producer]] = {
    "kafka": KafkaProducer,
    "nats": NatsProducer,
    "outbox": OutboxProducer,
    "postgres": PostgresProducer,
    "redis": RedisProducer,
}
