"""Fixtures of the user stories: the command line on a home of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from relive_cli import Relive, relive_home


@pytest.fixture
def relive() -> Iterator[Relive]:
    """An empty home without a server."""
    with relive_home() as home:
        yield home


@pytest.fixture
def server(relive: Relive) -> Iterator[Relive]:
    """A running server on an empty home."""
    with relive.serving():
        yield relive
