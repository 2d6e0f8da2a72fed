"""Whom a change of an alert is told: the alarm of its name, which functions hear of, and its webhook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final, Protocol

from relive_base.errors import ReliveError
from relive_base.escapes import to_json
from relive_base.ids import new_trace_id

from relive_platform.alerts.standing import ALARM_STATES, Standing
from relive_platform.alerts.watch import Alert
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.alarm.source import AlarmSource
from relive_platform.triggers.destinations.config import Destination, destination_problems
from relive_platform.triggers.destinations.delivery import WEBHOOK
from relive_platform.triggers.queue.model import QueuedEvent, Receipt
from relive_platform.triggers.shapes import now_text

__all__ = ["AlertTelling", "webhook_body"]

RETRIES: Final = 8
"""Of a webhook, with the queue's backoff; then the event is among the dead ones: `relive events`."""


class Queue(Protocol):
    """What is needed of the event queue."""

    def publish(self, event: QueuedEvent) -> Future[Receipt]: ...


class AlertTelling:
    """On the event loop. `environment`: where `webhook_env` is looked up."""

    def __init__(self, alarms: AlarmSource, queue: Queue, environment: Mapping[str, str]) -> None:
        self._alarms = alarms
        self._queue = queue
        self._environment = environment

    def silenced(self, name: str) -> bool:
        """Whether nobody is to be told of this one now."""
        return self._alarms.silenced(name)

    async def alarm(self, alert: Alert, standing: Standing) -> None:
        """Functions with an alarm trigger have their events when this returns."""
        said = {"state": ALARM_STATES[standing.state], "reason": standing.reason}
        request = InvokeRequest(
            function=f"alarm:{alert.name}", event=json.dumps(said).encode(), trace_id=new_trace_id()
        )
        await self._alarms.put(request)

    async def webhook(self, alert: Alert, before: str, standing: Standing) -> None:
        """The queue has the message when this returns, and takes it there. Only the URL that the alert's
        table names is called; redirects are not followed."""
        url = alert.config.webhook
        if alert.config.webhook_env:
            url = self._environment.get(alert.config.webhook_env, "")
            for message, hint in destination_problems({"webhook": url}):
                where = f"alert {alert.name}, webhook_env {alert.config.webhook_env}"
                said = "the variable is not set" if not url else message.replace(url, "its value")
                raise ReliveError(said, where=where, hint=hint)
        if not url:
            return
        event = QueuedEvent(
            function=Destination(webhook=url).address,
            body=to_json(webhook_body(alert, before, standing)),
            event_id=f"alert-{alert.name}-{standing.number}-{standing.since_ns}",
            trigger="alarm",
            trace_id=new_trace_id(),
            attributes={WEBHOOK: url},
            retries=RETRIES,
        )
        await asyncio.wrap_future(self._queue.publish(event))

    async def remind(self) -> None:
        """Those whose silence has ended are told as they are now."""
        await self._alarms.remind()


def webhook_body(alert: Alert, before: str, standing: Standing) -> dict[str, Any]:
    """What a webhook gets. `text` is what Slack, Mattermost and their like show."""
    config = alert.config
    word = {"firing": "FIRING", "ok": "resolved", "no data": "no data"}[standing.state]
    return {
        "text": f"[{word}] {alert.name}: {standing.reason}",
        "alert": alert.name,
        "application": alert.app,
        "state": standing.state,
        "previousState": before or "no data",
        "value": standing.value,
        "limit": standing.limit,
        "condition": config.describe(),
        "reason": standing.reason,
        "severity": config.severity,
        "description": config.description,
        "time": now_text(standing.since_ns),
        "number": standing.number,
    }
