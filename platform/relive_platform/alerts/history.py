"""Changes of alerts as rows of `alert_history`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from relive_platform.alerts.book import Change

__all__ = ["history_columns"]


def history_columns(changes: Sequence[Change]) -> tuple[dict[str, list[Any]], str]:
    """Columns, and a token that is the same for the same changes."""
    columns: dict[str, list[Any]] = {
        "Alert": [one.alert for one in changes],
        "App": [one.app for one in changes],
        "At": [one.standing.since_ns for one in changes],
        "State": [one.standing.state for one in changes],
        "Before": [one.before for one in changes],
        "Value": [one.standing.value for one in changes],
        "Threshold": [one.standing.limit for one in changes],
        "Reason": [one.standing.reason for one in changes],
        "Silenced": [int(one.silenced) for one in changes],
        "Number": [one.standing.number for one in changes],
    }
    named = "\n".join(f"{one.alert} {one.standing.number} {one.standing.since_ns}" for one in changes)
    return columns, f"alerts-{hashlib.sha256(named.encode()).hexdigest()[:32]}"
