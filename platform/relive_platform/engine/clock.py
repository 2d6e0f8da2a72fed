"""What time it is: one clock for the whole engine, which a test may set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Clock"]


@dataclass(frozen=True, slots=True)
class Clock:
    """`mono`: seconds that never go back. `wall_ns`: ns since the epoch."""

    mono: Callable[[], float] = time.monotonic
    wall_ns: Callable[[], int] = time.time_ns
