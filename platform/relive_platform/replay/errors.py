"""Why a failure cannot be replayed."""

from __future__ import annotations

from relive_base.errors import Refused

__all__ = ["ReplayError"]


class ReplayError(Refused):
    """The failure cannot be replayed."""
