"""How long a test waits for what must come: only a failure takes that long, and a busy machine is none."""

from __future__ import annotations

__all__ = ["PATIENCE_S"]

PATIENCE_S = 120.0
