"""How long a failed event waits for its next attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Backoff"]

_MAX_DOUBLINGS: Final = 40  # beyond it a float has long reached any limit


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles with each attempt up to a limit; half of the wait is fixed, half is drawn."""

    base_s: float = 1.0
    limit_s: float = 300.0

    def delay_s(self, attempt: int, draw: float) -> float:
        """Seconds to wait after attempt number `attempt` (from 1); `draw` is random in [0, 1)."""
        doublings = min(max(attempt, 1) - 1, _MAX_DOUBLINGS)
        whole = min(self.base_s * 2.0**doublings, self.limit_s)
        return whole * (0.5 + 0.5 * draw)
