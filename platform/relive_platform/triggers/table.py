"""Every kind of trigger. A new one: a folder with its config and its source, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from relive_platform.triggers.alarm.config import AlarmTrigger
from relive_platform.triggers.base import Source, TriggerConfig
from relive_platform.triggers.bucket.config import BucketTrigger
from relive_platform.triggers.bus.config import BusTrigger
from relive_platform.triggers.cloudevents.config import CloudEventsTrigger
from relive_platform.triggers.grpc.config import GrpcTrigger
from relive_platform.triggers.http.config import HttpTrigger
from relive_platform.triggers.pull.kafka.config import KafkaTrigger
from relive_platform.triggers.pull.nats.config import NatsTrigger
from relive_platform.triggers.pull.postgres.config import PostgresTrigger
from relive_platform.triggers.pull.redis.config import RedisTrigger
from relive_platform.triggers.queue.config import QueueTrigger
from relive_platform.triggers.records.config import FailureTrigger, LogsTrigger
from relive_platform.triggers.timer.config import TimerTrigger
from relive_platform.triggers.webhook.config import WebhookTrigger

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is configured, and what makes its events while a server runs, given `triggers.ways.Ways`.
    None: the server itself wires it, with what else it needs."""

    config: type[TriggerConfig]
    source: Callable[[Any], Source] | None = None


KINDS: Final[dict[str, Kind]] = {
    "http": Kind(HttpTrigger),
    "timer": Kind(TimerTrigger),
    "queue": Kind(QueueTrigger),
    "grpc": Kind(GrpcTrigger),
    "webhook": Kind(WebhookTrigger),
    "cloudevents": Kind(CloudEventsTrigger),
    "bus": Kind(BusTrigger),
    "bucket": Kind(BucketTrigger),
    "postgres": Kind(PostgresTrigger),
    "redis": Kind(RedisTrigger),
    "nats": Kind(NatsTrigger),
    "kafka": Kind(KafkaTrigger),
    "logs": Kind(LogsTrigger),
    "failure": Kind(FailureTrigger),
    "alarm": Kind(AlarmTrigger),
}
