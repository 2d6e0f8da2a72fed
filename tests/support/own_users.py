"""Users for tier 2 that no other process of tests has: limits, and what is looked for, go by user."""

from __future__ import annotations

import os

__all__ = ["COUNT", "FIRST"]

COUNT = 65_536
FIRST = 900_000 + COUNT * (os.getpid() % 30_000)
