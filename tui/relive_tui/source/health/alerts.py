"""Alerts of a home: how they stand is known to its server, how they have changed to its store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ServerUnreachable

from relive_tui.source.link import StoreLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from relive_views.health.alerts import AlertChangeView

    from relive_tui.models.alerts import Standing
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.tickets import Ticket

__all__ = ["Alerts"]

MAX_CHANGES: Final = 1_000


class Alerts(StoreLink):
    """Implements that part of `relive_tui.source.reading.Source`."""

    _asks: Callable[[str, bytes], bytes] | None = None
    """Asks the server: its name for what is asked ("alert:*"), and the event."""

    def alerts(self, ticket: Ticket) -> list[Standing]:
        from relive_views.health.alerts import alerts_of

        from relive_tui.models.alerts import Standing

        found = alerts_of(self._told("alert:*", {}))
        alarms = self._told("alarm:*", {}) if found else {}
        standings = []
        for one in found:
            alarm = alarms.get(one.name)
            alarm = alarm if isinstance(alarm, dict) else {}
            until_ns = int(alarm.get("silenced_until_ns", 0))
            standings.append(Standing(one, until_ns, str(alarm.get("silence_reason", ""))))
        return standings

    def alert_changes(self, ticket: Ticket, scope: Scope, alert: str) -> list[AlertChangeView]:
        from relive_views.health.alerts import alert_changes

        since_ns = scope.since_ns(self.now_ns())
        return alert_changes(self._use(ticket), since_ns, alert=alert, limit=MAX_CHANGES)

    def silence(self, ticket: Ticket, alert: str, seconds: float, reason: str) -> int:
        told = self._told(f"alarm:{alert}", {"silence_s": seconds, "reason": reason})
        return int(told.get(alert, {}).get("silenced_until_ns", 0))

    def _told(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        if self._asks is None:
            raise ServerUnreachable(
                "how alerts stand is known to a server, and none is asked here", hint="relive serve"
            )
        found: dict[str, Any] = json.loads(self._asks(name, json.dumps(event).encode()))
        return found
