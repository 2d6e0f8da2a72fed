"""What all tests share: the folder of helpers, and a home of their own."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Else each of the thousands of processes that tests start compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
gc.disable()  # until all tests are collected: what is imported stays

# A busy machine is no failure of an example; pytest-timeout ends what hangs. The same code has the same
# examples: who looks for new ones sets NEW_EXAMPLES.
settings.register_profile(
    "relive",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="NEW_EXAMPLES" not in os.environ,
)
settings.load_profile("relive")

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS / "support"))
# What was just recorded is read as soon as it is there, however long that takes.
os.environ["RELIVE_READ_WAIT_S"] = "60"
# Each server would have one more process, and the ports are whose they are; the tests of it ask for it.
os.environ.update(RELIVE_OTLP_GRPC="off", RELIVE_OTLP_HTTP="off")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Relive home that the environment names; unix socket paths stay under 100 characters."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("RELIVE_HOME", str(folder))
    return folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are no text have no place in a name: those that gzip makes have the time in them, and two
    processes that collect a second apart would not find the same tests."""
    return argname if isinstance(val, bytes) and not val.decode("latin-1").isprintable() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, the others as they are: where several processes run, all of them end together."""
    from longest_first import LONGEST_FIRST

    places = {TESTS / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """A full collection passes over the tests and all libraries once, not hundreds of times."""
    gc.collect()
    gc.freeze()
    gc.enable()
