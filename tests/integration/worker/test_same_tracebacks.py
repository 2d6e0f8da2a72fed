"""What a library raises has the same frames, texts and causes with the recorder and without it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from database_servers import MariaDb
from failing_calls import FAILING, PREAMBLE
from mongo_server import Mongo
from patience import PATIENCE_S
from pull_servers import ForeignServer, Postgres, Redis, running

SERVERS: dict[str, type[ForeignServer]] = {
    "postgres": Postgres,
    "mariadb": MariaDb,
    "redis": Redis,
    "mongo": Mongo,
}
ASKED = {
    "psycopg2": "postgres", "psycopg": "postgres", "psycopg_in_python": "postgres", "asyncpg": "postgres",
    "pymysql": "mariadb", "redis": "redis", "pymongo": "mongo",
}  # fmt: skip


@contextmanager
def shop() -> Iterator[int]:
    """A gRPC server: its port."""
    over = threading.Event()

    def fails(_asked: Any, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        return b""

    def parts(asked: Any, context: Any) -> Iterator[bytes]:
        yield b"one"
        fails(asked, context)

    def slow(_asked: Any, _context: Any) -> bytes:
        over.wait(PATIENCE_S)
        return b""

    one, streamed = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    methods = {
        "Fails": one(fails),
        "Works": one(lambda asked, _: asked),
        "Slow": one(slow),
        "Parts": streamed(parts),
    }
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    over.set()
    server.stop(0).wait()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Where the server of a library is, which runs from when it is asked for."""
    folder = tmp_path_factory.mktemp("data")
    found: dict[str, Any] = {"file": str(folder / "shop.db"), "text": str(folder / "text.txt")}
    Path(found["text"]).write_text("no database at all, and longer than its head would be" * 20)
    with sqlite3.connect(found["file"]) as file:
        file.executescript(
            "CREATE TABLE items (id INTEGER PRIMARY KEY, name);"
            "CREATE TABLE orders (id INTEGER, item REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED);"
            "INSERT INTO items VALUES (1, 'lamp'), (2, 'chair'), (3, 'table');"
        )
    file.close()
    with ExitStack() as stack:

        def of(library: str) -> dict[str, Any]:
            name = ASKED.get(library, library)
            if name in SERVERS and name not in found:
                server = stack.enter_context(running(SERVERS[name]))
                found[name] = server.port if name in ("mariadb", "redis") else server.url
            elif name == "grpc":
                found[name] = found.get(name) or stack.enter_context(shop())
            return found

        yield of


def told(library: str, kind: str, given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """How each call of a program failed."""
    program = folder / "program.py"
    program.write_text(
        f"{PREAMBLE}\n{FAILING[library]}\n"
        "calls = recorder.kept_calls if recorder is not None else None\n"
        "FOUND['recorded'] = bool(calls is not None and (calls.calls or calls.files))\n"
        "print(json.dumps(FOUND), flush=True)\n"
        "os._exit(0)\n"
    )
    ran = subprocess.run(
        [sys.executable, str(program), kind, json.dumps(given)],
        capture_output=True, text=True, timeout=PATIENCE_S * 2, check=False, cwd=folder,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("library", FAILING)
def test_what_is_raised_is_as_without_the_recorder(
    places: Callable[[str], dict[str, Any]], tmp_path: Path, library: str
) -> None:
    # Given a program whose calls fail, each in its own way
    run = partial(told, library, given=places(library), folder=tmp_path)
    # When it runs without the recorder, and with it
    without, recorded = run("alone"), run("recorded")
    # I expect the calls to be recorded, and everything that was raised to be the same
    assert (without.pop("recorded"), recorded.pop("recorded")) == (False, True)
    assert [name for name, how in without.items() if how == "it did not fail"] == []
    differing = {name: (how, recorded[name]) for name, how in without.items() if how != recorded[name]}
    assert differing == {}
