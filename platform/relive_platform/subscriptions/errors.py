"""What is wrong with a filter."""

from __future__ import annotations

from relive_base.errors import UsageError

__all__ = ["BadFilter"]


class BadFilter(UsageError):
    """A filter pattern cannot be read."""
