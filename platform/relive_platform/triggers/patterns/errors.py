"""What is wrong with a pattern, and where in it."""

from __future__ import annotations

from relive_base.errors import UsageError

__all__ = ["PatternError"]


class PatternError(UsageError):
    """An event pattern cannot be read. `where` is the path in it: "detail.state[0]"."""
