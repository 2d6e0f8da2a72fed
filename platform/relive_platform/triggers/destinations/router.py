"""Makes of an event's end the event for its function's destination."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from relive_platform.engine.invocation import Outcome
from relive_platform.triggers.base import Served
from relive_platform.triggers.destinations.config import Destination
from relive_platform.triggers.destinations.delivery import WEBHOOK, Deliveries
from relive_platform.triggers.destinations.record import AGED, EXHAUSTED, failure_record, success_record
from relive_platform.triggers.queue.model import Lease, QueuedEvent
from relive_platform.triggers.queue.publisher import invocation_of

__all__ = ["Destinations"]

_RETRIES: Final = 5  # of what is not a function's, whose own count
_SOURCE: Final = "relive.destination"
_log = logging.getLogger(__name__)


class Destinations:
    """Called on the event loop and by the queue's thread; it changes nothing but its counts.

    What a destination's event leads to is one deeper than the event it tells of, and beyond `depth_limit`
    nothing is sent: destinations that lead back to where they come from end there.
    """

    def __init__(
        self,
        serving: Callable[[str], Served | None],
        deliveries: Deliveries,
        depth_limit: int,
        region: str = "us-east-1",
        account: str = "000000000000",
    ) -> None:
        self._serving = serving
        self.takes = deliveries.takes
        self.deliver = deliveries.deliver
        self._depth_limit = depth_limit
        self._arn = f"arn:aws:lambda:{region}:{account}:function:"
        self.made = 0
        self.loops = 0  # ends of a chain that was too deep

    def after_success(self, lease: Lease, outcome: Outcome) -> QueuedEvent | None:
        """For the destination `on_success`, if the function has one."""
        event, record = lease.event, outcome.record
        served = self._serving(event.function)
        target = served.config.on_success if served is not None else None
        if target is None or not self._goes_on(event):
            return None
        body = success_record(
            event,
            self._arn + event.function,
            lease.attempt,
            record.invocation_id,
            record.version,
            outcome.body,
        )
        return self._event(event, target, body, record.trace_id, record.trigger_span_id)

    def after_death(self, event: QueuedEvent, attempts: int, error: str, aged: bool) -> QueuedEvent | None:
        """For the destination `on_failure`, if the function has one."""
        served = self._serving(event.function)
        target = served.config.on_failure if served is not None else None
        if target is None or not self._goes_on(event):
            return None
        condition = AGED if aged else EXHAUSTED
        arn = self._arn + event.function
        body = failure_record(event, arn, attempts, invocation_of(event), condition, error)
        return self._event(event, target, body, event.trace_id, event.span_id)

    def _goes_on(self, event: QueuedEvent) -> bool:
        if event.depth < self._depth_limit:
            return True
        self.loops += 1
        _log.error(
            "the outcome of event %s of %s is not sent to its destination: %d events lie above it, each"
            " made by the one before",
            event.event_id,
            event.function,
            event.depth,
        )
        return False

    def _event(
        self, event: QueuedEvent, target: Destination, body: bytes, trace_id: str, span_id: str
    ) -> QueuedEvent:
        found = self._serving(target.function) if target.function else None
        self.made += 1
        carried = {name: value for name, value in event.attributes.items() if name == "relive.sampled"}
        if target.webhook:
            carried[WEBHOOK] = target.webhook
        made = QueuedEvent(
            function=found.name if found is not None else target.address,
            body=body,
            trigger="queue",
            trace_id=trace_id,
            span_id=span_id,
            trace_state=event.trace_state,
            depth=event.depth + 1,
            attributes={**carried, _SOURCE: event.function},
            retries=found.config.retries if found is not None else _RETRIES,
        )
        return made if found is None else msgspec.structs.replace(made, max_age_s=found.config.max_age_s)
