"""A zygote for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

from worker_harness import ZygoteHandle, zygote


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    """One zygote without dependencies, shared by a module's tests."""
    with zygote(tmp_path_factory.mktemp("home")) as started:
        yield started
