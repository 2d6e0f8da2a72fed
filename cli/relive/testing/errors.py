"""Why a test of a failure could not run its function."""

from __future__ import annotations

from relive_base.errors import ReliveError

__all__ = ["FunctionDied"]


class FunctionDied(ReliveError):
    """The process that ran the function ended before the function did."""

    __module__ = "relive.testing"
