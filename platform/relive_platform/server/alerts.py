"""The server's alerts: what is declared, who looks, and who asks how they stand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from relive_base.errors import NotFound
from relive_base.ids import new_span_id, new_trace_id
from relive_base.wire.messages import FunctionSpec
from relive_store import Store

from relive_platform.alerts.book import AlertBook
from relive_platform.alerts.standing import FIRING, NO_DATA, OK, PENDING
from relive_platform.alerts.telling import AlertTelling
from relive_platform.alerts.watch import Alert, AlertWatch
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.metrics.families import GAUGE, Family, NumberPoint, attributes
from relive_platform.names import unknown_name
from relive_platform.registry.alerts import AlertRow
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["Alerts"]


class Alerts:
    """Of one server, on its event loop."""

    def __init__(
        self,
        home: Path,
        store: Store,
        own: Callable[[], Awaitable[list[Family]]],
        telling: AlertTelling,
        executor: Executor,
    ) -> None:
        self._watch = AlertWatch(AlertBook(home / "alerts.json"), store, own, telling, executor)

    async def apply(self, rows: Sequence[AlertRow]) -> None:
        """These are declared from now on."""
        await self._watch.apply({row.name: Alert(row.name, row.app, row.config) for row in rows})

    def names(self) -> list[str]:
        """Of those that are declared."""
        return list(self._watch.listing())

    def start(self) -> None:
        """Begin to look."""
        self._watch.start()

    async def look(self) -> None:
        """Look at once, at those that are due. Raises ReliveError."""
        await self._watch.once()

    async def close(self) -> None:
        """Look no more."""
        await self._watch.close()

    def counts(self) -> dict[str, Any]:
        """For `relive status`: how many stand how, and why they could not be looked at."""
        states = Counter(one["state"] for one in self._watch.listing().values())
        found: dict[str, Any] = {state: states[state] for state in (FIRING, PENDING, OK, NO_DATA)}
        return {**found, "problem": self._watch.problem}

    def families(self) -> list[Family]:
        """As a metric."""
        points = [
            NumberPoint(attributes(alert=name), float(one["state"] == FIRING))
            for name, one in self._watch.listing().items()
        ]
        return [Family("relive.alert.firing", GAUGE, "1", "1 if an alert fires.", numbers=points)]

    async def put(
        self, request: InvokeRequest, ident: str = "", publisher: FunctionSpec | None = None
    ) -> Accepted:
        """`request.function` is "alert:NAME" or "alert:*": `result` has how it stands. Raises NotFound."""
        name = request.function.partition(":")[2]
        found: Mapping[str, Any] = self._watch.listing()
        if name != "*":
            if name not in found:
                raise unknown_name(NotFound, "alert", name, found, "relive alerts")
            found = {name: found[name]}
        result = json.dumps(found).encode()  # for our own faces: an infinite value stays one
        return Accepted(request.function, "", new_trace_id(), new_span_id(), result=result)
