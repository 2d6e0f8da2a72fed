"""A host with real workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pool_harness import Platform, platform

__all__ = ["workers"]


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Platform]:
    """Zygotes and workers without limits that matter."""
    async with platform(tmp_path) as built:
        yield built
