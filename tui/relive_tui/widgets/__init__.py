"""The few widgets that every screen is built of."""

from __future__ import annotations

__all__: list[str] = []
