"""What the server says of itself, for the last line of the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relive_tui.models.health import Health

__all__ = ["health_of"]


def health_of(status: Mapping[str, Any] | None) -> Health:
    """Of the object that `relive status --json` prints; None: no server."""
    if not status:
        return Health(False)
    store, workers, queue = (_part(status, name) for name in ("store", "workers", "queue"))
    return Health(
        True,
        float(store.get("lag_s", 0.0)),
        int(store.get("dropped_rows", 0)),
        int(store.get("spooled_rows", 0)),
        " ".join(
            f"{workers[name]} {name}" for name in ("busy", "lagging", "idle", "frozen") if workers.get(name)
        ),
        " ".join(f"{queue[name]} {name}" for name in ("ready", "leased", "dead") if queue.get(name)),
        f"isolation tier {status['isolation_tier']}" if "isolation_tier" in status else "",
        _store_problem(store),
        int(_part(status, "alerts").get("firing", 0)),
    )


def _store_problem(store: Mapping[str, Any]) -> str:
    state = str(store.get("state", "ready"))
    return "" if state == "ready" else f"{state}: {store.get('reason', '')}"


def _part(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = status.get(name)
    return part if isinstance(part, Mapping) else {}
