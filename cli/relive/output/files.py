"""Files that a user has asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relive_base.errors import UsageError

__all__ = ["writing"]


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raises UsageError if `target` cannot be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from error
