"""What stands at the paths of triggers that come by HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from relive_platform.triggers.base import TriggerConfig
from relive_platform.triggers.cloudevents.config import CloudEventsTrigger
from relive_platform.triggers.cloudevents.door import CloudEventsDoor
from relive_platform.triggers.http.doors import MakeDoor
from relive_platform.triggers.webhook.config import WebhookTrigger
from relive_platform.triggers.webhook.door import WebhookDoor

__all__ = ["doors"]


def doors(environment: Mapping[str, str]) -> dict[type[TriggerConfig], MakeDoor]:
    """By kind of trigger. `environment`: the server's own, with the secrets of webhooks."""
    return {
        WebhookTrigger: lambda trigger, function: WebhookDoor(trigger, function, environment),
        CloudEventsTrigger: CloudEventsDoor,
    }
