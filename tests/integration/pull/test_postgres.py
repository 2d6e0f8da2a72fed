"""Changes of PostgreSQL as a trigger, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pull_rig import Rig, lose_an_ack, rigged
from pull_servers import ForeignServer, Postgres, running
from relive_platform.triggers.pull.postgres import connector
from relive_platform.triggers.pull.postgres.config import PostgresTrigger
from relive_platform.triggers.pull.postgres.connector import ChangesConnector
from relive_platform.triggers.pull.postgres.outbox import OutboxConnector
from signal_clients import queries_postgres, with_signals

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server() -> Iterator[ForeignServer]:
    with running(Postgres) as found:
        yield found


@pytest.fixture
def database(server: ForeignServer, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A connection to a database of the test's own."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    name = request.node.name[:50]
    with psycopg.connect(server.url, autocommit=True) as owner:
        owner.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        with psycopg.connect(server.url, dbname=name, autocommit=True) as connection:
            yield connection
        for slot in owner.execute("SELECT slot_name FROM pg_replication_slots").fetchall():
            owner.execute("SELECT pg_drop_replication_slot(%s)", slot)


def trigger(database: Any, **more: Any) -> PostgresTrigger:
    """Of that database."""
    info = database.info
    url = f"postgresql://postgres@127.0.0.1:{info.port}/{info.dbname}"
    if not {"outbox", "publication"} & more.keys():
        more.setdefault("tables", ("orders",))
    return PostgresTrigger(url=url, poll_s=0.02, **more)


async def ready(rig: Rig, found: PostgresTrigger) -> Rig:
    """Its slot is there."""
    await rig.serve(f=found)
    await rig.until(lambda: rig.state().state == "running")
    return rig


def records(events: list[Any]) -> list[Any]:
    """Of all events."""
    return [record for event in events for record in event["records"]]


async def test_every_change_comes_with_its_rows_and_their_types(database: Any, tmp_path: Path) -> None:
    # Given a table with all that is hard
    database.execute(
        "CREATE DOMAIN price AS numeric(12,2); CREATE TYPE colour AS ENUM ('red');"
        "CREATE TABLE orders (id bigint PRIMARY KEY, total price, huge numeric, tags text[], grid int[][],"
        " doc jsonb, docs jsonb[], at timestamptz, day date, wait interval, raw bytea, ok bool, real8 float8,"
        " hue colour, ident uuid, span int4range, big text, traceparent text)"
    )
    database.execute("ALTER TABLE orders ALTER big SET STORAGE EXTERNAL")
    async with rigged(tmp_path) as rig:
        await ready(rig, trigger(database, trace_column="traceparent"))
        # When rows are written, changed, deleted and truncated
        database.execute(
            """INSERT INTO orders VALUES (9007199254740993, 12.5, 1e40 + 0.1, ARRAY['a "b"', NULL, '{,}'],
            '{{1,2},{3,4}}', '{"a": [1, 2.50]}', ARRAY['{"b": 1}'::jsonb], '2027-01-02 03:04:05.6+02',
            '2027-01-02', '1 day 2 hours', '\\xff00', true, 'NaN', 'red',
            'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[1,5)', %s, %s)""",
            ("x" * 9_000, TRACE),
        )
        database.execute("UPDATE orders SET total = 13")
        database.execute("UPDATE orders SET id = 7")
        database.execute("DELETE FROM orders")
        database.execute("TRUNCATE orders")
        insert, update, moved, delete, truncate = records(await rig.events(5))
    # I expect them in order, exact, and what PostgreSQL leaves out to be named
    assert [insert["operation"], update["operation"], delete["operation"]] == ["insert", "update", "delete"]
    row = insert["after"]
    assert row["big"] == "x" * 9_000
    assert {name: row[name] for name in row if name != "big"} == {
        "id": 9007199254740993,
        "total": "12.50",
        "huge": "10000000000000000000000000000000000000000.1",
        "tags": ['a "b"', None, "{,}"],
        "grid": [[1, 2], [3, 4]],
        "doc": {"a": [1, 2.5]},
        "docs": [{"b": 1}],
        "at": "2027-01-02T01:04:05.6Z",
        "day": "2027-01-02",
        "wait": "P1DT2H",
        "raw": "/wA=",
        "ok": True,
        "real8": "NaN",
        "hue": "red",
        "ident": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "span": "[1,5)",
        "traceparent": TRACE,
    }
    assert update["unchanged"] == ["big"]
    assert "big" not in update["after"]
    assert (update["after"]["total"], update["before"]) == ("13.00", None)
    assert (moved["key"], moved["after"]["id"]) == ({"id": 9007199254740993}, 7)
    assert (delete["key"], delete["before"], delete["after"]) == ({"id": 7}, None, None)
    assert (truncate["operation"], truncate["after"]) == ("truncate", None)
    indexes = [record["transaction"]["index"] for record in (insert, update, delete)]
    assert indexes == [0, 0, 0]


async def test_a_full_identity_tells_the_row_before(database: Any, tmp_path: Path) -> None:
    # Given REPLICA IDENTITY FULL and a large value that an update does not touch
    database.execute(
        "CREATE TABLE orders (a int, big text); ALTER TABLE orders ALTER big SET STORAGE EXTERNAL"
    )
    database.execute("ALTER TABLE orders REPLICA IDENTITY FULL")
    async with rigged(tmp_path) as rig:
        await ready(rig, trigger(database))
        database.execute("INSERT INTO orders VALUES (1, %s)", ("y" * 9_000,))
        database.execute("UPDATE orders SET a = 2")
        _, update = records(await rig.events(2))
    # I expect the row before, whole, and the value from there
    assert update["before"] == {"a": 1, "big": "y" * 9_000}
    assert update["after"] == {"a": 2, "big": "y" * 9_000}
    assert "unchanged" not in update


async def test_a_large_transaction_comes_in_batches_and_is_never_half_forgotten(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given one transaction of many changes, and a connection that breaks in the middle of it
    monkeypatch.setattr(connector, "ROWS_AT_ONCE", 50)
    database.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    found = trigger(database, batch_size=100)
    async with rigged(tmp_path) as rig:
        await ready(rig, found)
        database.execute("INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 1000) AS n")
        first = await rig.events(300)
        assert rig.state().held <= 200
    async with rigged(tmp_path) as rig:
        # When another process begins
        await ready(rig, found)
        rest = await rig.events(1_000 - len(records(first)))
        # I expect each row exactly once, in order, and the slot to have passed them
        ids = [record["after"]["id"] for record in records(first + rest)]
        assert ids == list(range(1, 1_001))
        await rig.until(lambda: rig.state().behind == 0)
        assert rig.state().repeated >= 300


async def test_a_change_whose_acknowledgement_was_lost_is_no_second_event(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection that is lost between our commit and the advance of the slot
    database.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    lose_an_ack(monkeypatch, ChangesConnector)
    async with rigged(tmp_path) as rig:
        await ready(rig, trigger(database))
        for number in range(3):
            database.execute("INSERT INTO orders VALUES (%s)", (number,))
        # I expect each once
        ids = [record["after"]["id"] for record in records(await rig.events(3))]
        assert ids == [0, 1, 2]
        await rig.until(lambda: rig.state().repeated >= 1 and rig.state().behind == 0)
        assert not await rig.lease()


async def test_what_others_write_is_not_kept_back(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a slot for a quiet table beside a busy one
    monkeypatch.setattr(connector, "_IDLE_ADVANCE_BYTES", 1_000)
    database.execute("CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE busy (t text)")
    async with rigged(tmp_path) as rig:
        await ready(rig, trigger(database, operations=("insert",)))
        for _ in range(5):
            database.execute("INSERT INTO busy SELECT repeat('x', 900) FROM generate_series(1, 50)")
        database.execute("INSERT INTO orders VALUES (1)")
        database.execute("DELETE FROM orders")  # is not asked for
        [insert] = records(await rig.events(1))
        # I expect the slot to follow
        assert insert["operation"] == "insert"
        await rig.until(lambda: (rig.state().behind or 0) < 1_000)
        assert rig.state().committed == 1


async def test_an_abandoned_slot_is_told_until_it_is_gone(database: Any, tmp_path: Path) -> None:
    # Given a function with a slot
    database.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    async with rigged(tmp_path) as rig:
        await ready(rig, trigger(database))
        slot = (
            rig.state().details.get("slot")
            or database.execute("SELECT slot_name FROM pg_replication_slots").fetchone()[0]
        )
        # When it is no longer deployed
        await rig.serve()
        # I expect the slot to be told, with the way to drop it, until somebody has
        await rig.until(rig.described)
        await rig.until(lambda: rig.state().state == "abandoned")
        assert f"pg_drop_replication_slot('{slot}')" in rig.state().warning
        database.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
        await rig.until(lambda: not rig.described())


async def test_a_slot_over_its_limit_is_dropped_only_if_asked(database: Any, tmp_path: Path) -> None:
    # Given functions that take nothing, and more WAL than their slots may keep back
    database.execute("CREATE TABLE orders (id int PRIMARY KEY, t text)")
    common = {"max_lag_mb": 1, "batch_size": 1}
    grow = (
        "UPDATE orders SET t = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 2000) AS n)"
        " WHERE id = %s"
    )
    async with rigged(tmp_path) as rig:
        await rig.serve(
            f=trigger(database, slot="warns", **common),
            g=trigger(database, slot="drops", over_lag="drop", **common),
        )
        await rig.until(lambda: {rig.state("f").state, rig.state("g").state} == {"running"})
        for number in range(25):
            database.execute("INSERT INTO orders VALUES (%s, repeat('x', 100000))", (number,))
            database.execute(grow, (number,))
        # I expect a warning of one, and the other's loss to be told
        await rig.until(lambda: "over 1 MB" in rig.state("f").warning)
        await rig.until(lambda: "dropped" in rig.state("g").lost)
        assert not rig.state("f").lost


async def test_a_table_that_updates_would_break_is_refused(database: Any, tmp_path: Path) -> None:
    # Given a table without a primary key
    database.execute("CREATE TABLE orders (id int)")
    async with rigged(tmp_path) as rig:
        await rig.serve(f=trigger(database))
        # I expect no publication, and an error that says what to do
        await rig.until(lambda: rig.state().state == "failed")
        assert "no primary key" in rig.state().error
        database.execute("INSERT INTO orders VALUES (1)")
        database.execute("UPDATE orders SET id = 2")


async def test_a_transaction_may_tell_its_trace(database: Any, tmp_path: Path) -> None:
    # Given a transaction that says where it comes from
    database.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    async with rigged(tmp_path) as rig:
        await ready(rig, trigger(database))
        with database.transaction():
            database.execute("SELECT pg_logical_emit_message(true, 'traceparent', %s)", (TRACE,))
            database.execute("INSERT INTO orders VALUES (1)")
        leases: list[Any] = []
        while not leases:
            leases = await rig.lease()
        # I expect the event in that trace, with a link to the span
        [event] = [lease.event for lease in leases]
        assert event.trace_id == TRACE.split("-")[1]
        assert [link.span_id for link in event.links] == [TRACE.split("-")[2]]


async def test_rows_of_an_outbox_are_events_and_are_deleted(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an outbox, and a connection that is lost once before rows are deleted
    database.execute("CREATE TABLE outbox (id bigserial PRIMARY KEY, payload jsonb, trace text)")
    lose_an_ack(monkeypatch, OutboxConnector)
    async with rigged(tmp_path) as rig:
        found = trigger(database, outbox="outbox", trace_column="trace", channel="news")
        await ready(rig, found)
        for number in range(3):
            database.execute("INSERT INTO outbox (payload) VALUES (%s)", (f'{{"n": {number}}}',))
        database.execute("NOTIFY news")
        # I expect each row once, in order, and an empty table
        rows = records(await rig.events(3))
        assert [row["after"]["payload"]["n"] for row in rows] == [0, 1, 2]
        assert rows[0]["key"] == {"id": 1}
        await rig.until(lambda: database.execute("SELECT count(*) FROM outbox").fetchone()[0] == 0)
        assert not await rig.lease()


@pytest.mark.parametrize("threads", [False, True], ids=["restarted", "interrupted"])
def test_a_client_gets_the_same_under_the_samplers_signals(server: ForeignServer, threads: bool) -> None:
    expected = queries_postgres(server.url)
    found, looks = with_signals(lambda: queries_postgres(server.url), threads)
    assert found == expected
    assert looks
