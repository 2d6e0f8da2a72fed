"""Alerts, and how they have changed, for every face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from relive_store import Store

__all__ = ["AlertChangeView", "AlertView", "alert_changes", "alerts_of"]

_ORDER: Final = {"firing": 0, "pending": 1, "no data": 2, "ok": 3}
_CHANGES: Final = """
SELECT Alert, App, toUnixTimestamp64Nano(At), State, Before, Value, Threshold, Reason, Silenced = 1, Number
FROM alert_history FINAL
WHERE At >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND ({alert:String} = '' OR Alert = {alert:String})
ORDER BY At DESC, Alert, Number DESC
LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert and how it stands. `problem`: why the last look failed; "" if it did not."""

    name: str
    app: str
    state: str
    since_ns: int
    value: float | None
    limit: float | None
    condition: str
    for_s: int
    reason: str
    problem: str
    severity: str
    description: str
    silenced: bool
    checked_ns: int
    changes: int

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive alerts --json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AlertChangeView:
    """A change of an alert's state. `silenced`: nobody was told."""

    alert: str
    app: str
    at_ns: int
    state: str
    before: str
    value: float | None
    limit: float | None
    reason: str
    silenced: bool
    number: int

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive alerts --history --json`."""
        return asdict(self)


def alerts_of(told: Mapping[str, Mapping[str, Any]]) -> list[AlertView]:
    """What the server says of "alert:*": those that fire first."""
    found = [AlertView(name=name, **fields) for name, fields in told.items()]
    return sorted(found, key=lambda one: (_ORDER.get(one.state, 9), one.name))


def alert_changes(
    store: Store, since_ns: int, *, alert: str = "", limit: int = 1_000
) -> list[AlertChangeView]:
    """The newest first. Raises StoreError."""
    parameters: dict[str, object] = {"since": since_ns, "alert": alert, "limit": limit}
    rows: list[Any] = list(store.query(_CHANGES, parameters).rows())
    return [AlertChangeView(*row) for row in rows]
