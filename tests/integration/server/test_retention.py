"""The store keeps to its days and its size, as the settings say."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from relive_platform.server.retention import Retention
from relive_store import Store
from relive_store.tables.retention import DEFAULT_DAYS, days_in_force, scaled_days, sizes
from server_harness import Served, served

DAY_NS = 86_400 * 10**9


def test_the_other_tables_scale_with_the_invocations() -> None:
    assert scaled_days(30) == DEFAULT_DAYS
    assert scaled_days(60)["otel_logs"] == 28
    assert scaled_days(1)["otel_traces"] == 1


async def test_the_days_of_the_settings_are_in_force_and_are_set_once(tmp_path: Path) -> None:
    # Given a server with other days than the migrations'
    async with served(tmp_path / "home", retention_days="60") as running:
        found = days_in_force(running.server.store)
        assert {table: found[table] for table in DEFAULT_DAYS} == scaled_days(60)
        changes = await running.rows(_MUTATIONS)

    # When it is started once more with the same ones
    async with served(tmp_path / "home", retention_days="60") as running:
        # I expect no further rewriting of tables
        assert await running.rows(_MUTATIONS) == changes

    # ... and with the default, the default
    async with served(tmp_path / "home") as running:
        found = days_in_force(running.server.store)
        assert {table: found[table] for table in DEFAULT_DAYS} == DEFAULT_DAYS


_MUTATIONS = "SELECT count() FROM system.mutations WHERE database = currentDatabase()"


async def test_over_its_size_the_store_drops_the_oldest_days_but_never_today(tmp_path: Path) -> None:
    async with served(tmp_path / "home", store_bytes="0") as running:
        # Given log lines of three days in a store without a limit
        store = running.server.store
        _fill(store)
        assert await _days(running) == [0, 1, 2]

        # When it is limited to a bit less than it has, the oldest day goes
        with ThreadPoolExecutor(1) as threads:
            limit = sum(sizes(store).values()) - 1
            retention = Retention(store, threads, days={}, limit_bytes=limit, every_s=0.05)
            await retention.start()
            await running.until(lambda: sum(sizes(store).values()) <= limit)
            await retention.close()
        assert await _days(running) == [0, 1]

    # And when a server starts whose setting no past day fits into, today's stays
    async with served(tmp_path / "home", store_bytes="1000") as running:
        store = running.server.store
        await running.until(lambda: store.query(_PARTS).scalar() == 1)
        assert await _days(running) == [0]


_PARTS = (
    "SELECT uniqExact(partition) FROM system.parts "
    "WHERE database = currentDatabase() AND active AND table = 'otel_logs'"
)


def _fill(store: Store) -> None:
    now = time.time_ns()
    for days in (2, 1, 0):
        lines = [f"{number * 7919 % 104_729} of day {days}" for number in range(2_000)]
        store.insert("otel_logs", {"Timestamp": [now - days * DAY_NS] * len(lines), "Body": lines})


async def _days(running: Served) -> list[int]:
    """How many days ago there are lines of."""
    sql = "SELECT DISTINCT dateDiff('day', toDate(Timestamp), today()) AS ago FROM otel_logs ORDER BY ago"
    return [row[0] for row in await running.rows(sql)]
