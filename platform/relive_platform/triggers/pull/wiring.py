"""Every kind of trigger that pulls, with its connector. A client library is imported by its connector alone,
when one is made."""

from __future__ import annotations

from typing import Any

from relive_platform.triggers.pull.config import PullTrigger
from relive_platform.triggers.pull.connector import Connector, Lag
from relive_platform.triggers.pull.desk import Desk
from relive_platform.triggers.pull.kafka.config import KafkaTrigger
from relive_platform.triggers.pull.nats.config import NatsTrigger
from relive_platform.triggers.pull.postgres.config import PostgresTrigger
from relive_platform.triggers.pull.puller import LAG_S
from relive_platform.triggers.pull.redis.config import RedisTrigger
from relive_platform.triggers.pull.source import LOOK_S, PullSource

__all__ = ["pull_sources"]


def pull_sources(desk: Desk, *, lag_s: float = LAG_S, look_s: float = LOOK_S) -> list[PullSource]:
    """One source for each kind; `lag_s`, `look_s`: how often each looks for its lag, and for what is left."""
    return [
        PullSource(KafkaTrigger, _kafka, desk, lag_s=lag_s),
        PullSource(NatsTrigger, _nats, desk, lag_s=lag_s),
        PullSource(PostgresTrigger, _postgres, desk, _postgres_left_behind, look_s, lag_s),
        PullSource(RedisTrigger, _redis, desk, lag_s=lag_s),
    ]


def _kafka(trigger: PullTrigger, address: str, tag: str) -> Connector:
    from relive_platform.triggers.pull.kafka.connector import KafkaConnector

    assert isinstance(trigger, KafkaTrigger)
    return KafkaConnector(trigger, address, tag)


def _nats(trigger: PullTrigger, address: str, tag: str) -> Connector:
    from relive_platform.triggers.pull.nats.connector import NatsConnector

    assert isinstance(trigger, NatsTrigger)
    return NatsConnector(trigger, address, tag)


def _redis(trigger: PullTrigger, address: str, tag: str) -> Connector:
    from relive_platform.triggers.pull.redis.connector import RedisConnector

    assert isinstance(trigger, RedisTrigger)
    return RedisConnector(trigger, address, tag)


def _postgres(trigger: PullTrigger, address: str, tag: str) -> Connector:
    from relive_platform.triggers.pull.postgres.connector import ChangesConnector
    from relive_platform.triggers.pull.postgres.outbox import OutboxConnector

    assert isinstance(trigger, PostgresTrigger)
    return (OutboxConnector if trigger.outbox else ChangesConnector)(trigger, address, tag)


async def _postgres_left_behind(address: str, tag: str, trigger: Any) -> Lag | None:
    from relive_platform.triggers.pull.postgres.connector import left_behind

    return await left_behind(address, tag, trigger)
