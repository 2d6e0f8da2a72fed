"""A store with a shop's history in it, in its own process."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from relive_store import open_store
from relive_store.process import StoreProcess

ROOT = Path(__file__).resolve().parents[3]


def world_module() -> ModuleType:
    """bench/tui/world.py, which is no package."""
    spec = importlib.util.spec_from_file_location("tui_world", ROOT / "bench/tui/world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tui_world"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def store_process() -> Iterator[StoreProcess]:
    """The embedded engine in its own process."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:
        process = StoreProcess(Path(folder) / "store", Path(folder) / "s.sock", log_path=Path(folder) / "log")
        process.start(60)
        try:
            yield process
        finally:
            process.stop()


@pytest.fixture(scope="session")
def world(store_process: StoreProcess, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The shop."""
    store = open_store(store_process.url)
    store.migrate()
    return world_module().record_shop(store, tmp_path_factory.mktemp("home"))
