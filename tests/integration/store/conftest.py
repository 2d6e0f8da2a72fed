"""Both engines, each started once for all tests here, with a database or directory of its own."""

from __future__ import annotations

import importlib.util
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from relive_store import Store, StoreProcess, open_store

_numbers = itertools.count()


def _load(name: str) -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "support" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder with a path short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="rls") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def clickhouse_url() -> Iterator[str]:
    """A real ClickHouse server; without its database."""
    with tempfile.TemporaryDirectory(prefix="rls") as name:
        server = _load("clickhouse_server").ClickHouseServer(Path(name) / "server")
        server.start()
        yield f"clickhouse://default@127.0.0.1:{server.port}"
        server.stop()


@pytest.fixture(scope="session")
def store_process() -> Iterator[StoreProcess]:
    with tempfile.TemporaryDirectory(prefix="rls") as name:
        home = Path(name)
        process = StoreProcess(home / "store", home / "store.sock", log_path=home / "store.log")
        process.start()
        yield process
        process.stop()


@pytest.fixture(scope="session", params=["chdb", "clickhouse"])
def empty_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An open store with the schema, empty, which no test changes; made once for all."""
    with tempfile.TemporaryDirectory(prefix="rls") as name:
        process: StoreProcess | None = None
        if request.param == "chdb":
            process = StoreProcess(Path(name) / "store", Path(name) / "s.sock", log_path=Path(name) / "log")
            process.start()
            opened = open_store(process.url)
        else:
            opened = open_store(f"{request.getfixturevalue('clickhouse_url')}/empty")
        opened.migrate()
        yield opened
        opened.close()
        if process is not None:
            process.stop()


@pytest.fixture(params=["chdb", "clickhouse"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An open store with the schema, empty."""
    if request.param == "chdb":
        opened = open_store(request.getfixturevalue("store_process").url)
        for table in opened.query("SELECT name FROM system.tables WHERE database = currentDatabase()").column(
            "name"
        ):
            opened.execute(f"DROP TABLE IF EXISTS `{table}` SYNC")
    else:
        opened = open_store(f"{request.getfixturevalue('clickhouse_url')}/test_{next(_numbers)}")
    opened.migrate()
    yield opened
    opened.close()
