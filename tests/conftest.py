"""What all tests share: the folder of helpers, and a home of their own."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure of an example; pytest-timeout ends what hangs.
settings.register_profile("relive", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("relive")

sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Relive home that the environment names; unix socket paths stay under 100 characters."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("RELIVE_HOME", str(folder))
    return folder


def pytest_collection_finish() -> None:
    """A full collection passes over the tests and all libraries once, not hundreds of times."""
    gc.collect()
    gc.freeze()
