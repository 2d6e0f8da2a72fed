"""Databases of an application on a running server: a file that its functions share, and a PostgreSQL whose
rows start a function, traced from the writer to the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pull_servers import ForeignServer, Postgres, running
from relive_platform.resources.base import ResourceError, ResourceInUse
from relive_platform.triggers.pull.state import SourceState
from server_harness import Served, served, write_app

SOURCE = """
import os, sqlite3

def write(event, context):
    database = sqlite3.connect(os.environ["NOTES_DATABASE_PATH"])
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS notes (n)")
        database.execute("INSERT INTO notes VALUES (?)", (event["n"],))
    return os.environ["NOTES_DATABASE_URL"]

def read(event, context):
    database = sqlite3.connect(os.environ["NOTES_DATABASE_PATH"])
    return database.execute("SELECT count(*) FROM notes").fetchone()[0]

def react(event, context):
    assert os.environ["ORDERS_DATABASE_URL"].startswith("postgresql://")
    return [record["after"]["n"] for record in event["records"]]
"""
APP = """
[resources.notes]
type = "database"

[resources.orders]
type = "database"
url = "env:RELIVE_TEST_DATABASE"

[functions.write]
handler = "app:write"
[functions.read]
handler = "app:read"
[functions.react]
handler = "app:react"
[[functions.react.triggers]]
type = "postgres"
url = "env:RELIVE_TEST_DATABASE"
tables = ["orders"]
trace_column = "trace"
poll_s = 0.02
"""
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "hidden-word"
SPANS = """
SELECT SpanName, SpanKind, Links.SpanId, SpanAttributes['messaging.system'], SpanAttributes['faas.trigger']
FROM otel_traces WHERE TraceId = '0af7651916cd43dd8448eb211c80319c' AND SpanKind IN ('Producer', 'Consumer')
ORDER BY Timestamp
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ForeignServer]:
    with running(Postgres) as found:
        yield found


async def test_databases_of_an_application(
    server: ForeignServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an application with a file and a PostgreSQL, whose password is in the server's environment only
    address = server.url.replace("postgres@", f"postgres:{SECRET}@")
    monkeypatch.setenv("RELIVE_TEST_DATABASE", address)
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute("CREATE TABLE orders (n int PRIMARY KEY, trace text)")
        async with served(tmp_path / "home") as relive:
            await relive.deploy(write_app(tmp_path / "app", SOURCE, APP))
            await _a_file(relive)
            await _a_postgres(relive, database)
            await _no_longer_declared(relive, tmp_path)


async def _a_file(relive: Served) -> None:
    # When one function writes to the file and another reads it
    [url] = [json.loads((await relive.invoke("write", b'{"n": 1}')).body)]
    count = json.loads((await relive.invoke("read")).body)
    # I expect them to share it, and its figures to be told
    assert url.startswith("sqlite:////")
    assert count == 1
    state = await relive.server.resources.one("notes")
    assert (state.state, state.figures["tables"]) == ("ok", 1)
    assert await relive.server.resources.purge("notes") == 1


async def _a_postgres(relive: Served, database: Any) -> None:
    # When a row is written, by a span of somebody
    await relive.until(lambda: source(relive).state == "running")
    database.execute("INSERT INTO orders VALUES (7, %s)", (f"00-{TRACE}-{SPAN}-01",))
    await relive.until(lambda: source(relive).committed == 1)
    await relive.until(lambda: not relive.server.queue.counts().result(60).by_function)
    # I expect the function's spans in that trace, with a link to the row's, and no secret anywhere
    rows = await relive.rows(SPANS)
    names = [row[:2] for row in rows]
    assert names == [("publish react", "Producer"), ("process react", "Consumer")]
    assert all(SPAN in row[2] for row in rows)
    assert rows[1][3:] == ("postgres", "datasource")
    [(trigger, status)] = await relive.rows(
        "SELECT Trigger, Status FROM invocations WHERE Function = 'react'"
    )
    assert (trigger, status) == ("postgres", "ok")
    state = await relive.server.resources.one("orders")
    assert state.figures["bytes"]
    assert SECRET not in repr(state) + repr(source(relive).as_json())
    with pytest.raises(ResourceError, match="not Relive's to delete"):
        await relive.server.resources.purge("orders")


async def _no_longer_declared(relive: Served, tmp_path: Path) -> None:
    # When the application declares them no more
    with pytest.raises(ResourceInUse):
        await relive.server.resources.delete("notes")
    kept = "[functions.read]\nhandler = 'app:read'\n"
    await relive.deploy(write_app(tmp_path / "app", SOURCE, kept))
    # I expect the file to be kept, until somebody deletes it, and the slot that is left to be told
    state = await relive.server.resources.one("notes")
    assert state.state == "undeclared"
    await relive.server.resources.delete("notes")
    assert "notes" not in {entry.name for entry in await relive.server.resources.listing()}


def source(relive: Served) -> SourceState:
    """The only trigger that pulls."""
    [found] = [state for pull in relive.server.pulls for state in pull.describe()]
    return found
