"""What keeping an invocation's queries costs: CPU of the worker process, with and without, in the same run.

The handler makes ten queries on a connection that it keeps: one row of four columns by its key. Two workers
of one zygote, one with `recording = false`, get a batch each in turn; CPU is read from outside. A third one,
without too, shows the noise of the method. PostgreSQL and MariaDB run beside them, from Debian.

A query of sqlite3 takes 10 us, one of pymongo 250: there a share of it says nothing, and the time is what
counts.
"""

from __future__ import annotations

import json
import statistics
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["run", "try_out"]

Row = dict[str, Any]
MAX_PERCENT = 3.0
MAX_QUERY_US = 10.0
MONGO_QUERY_US = 30.0  # ten of them are 3 % of a handler of 10 ms
QUERIES = 10
BATCH = 2  # short ones in turn: what disturbs one disturbs its neighbours too
SIDES = ("off", "on", "off again")
_SUPPORT = Path(__file__).resolve().parents[2] / "tests" / "support"
_QUERY = "SELECT id, name, price, made FROM items WHERE id = "
HANDLERS = f"""
import asyncio, os
kept = {{}}

def connection(name, connect):
    if name not in kept:
        kept[name] = connect()
    return kept[name]

def psycopg(event, context):
    import psycopg
    one = connection("psycopg", lambda: psycopg.connect(event["postgres"], autocommit=True))
    return [one.execute("{_QUERY}%s", (number % 3,)).fetchall() for number in range({QUERIES})][0] and 1

def psycopg2(event, context):
    import psycopg2
    one = connection("psycopg2", lambda: psycopg2.connect(event["postgres"]))
    with one, one.cursor() as cursor:
        for number in range({QUERIES}):
            cursor.execute("{_QUERY}%s", (number % 3,))
            cursor.fetchall()

def pymysql(event, context):
    import pymysql
    one = connection("pymysql", lambda: pymysql.connect(
        host="127.0.0.1", port=event["mariadb"], user="relive", password="relive", database="shop"))
    with one.cursor() as cursor:
        for number in range({QUERIES}):
            cursor.execute("{_QUERY}%s", (number % 3,))
            cursor.fetchall()

def asyncpg(event, context):
    import asyncpg
    loop = connection("loop", asyncio.new_event_loop)
    one = connection("asyncpg", lambda: loop.run_until_complete(asyncpg.connect(event["postgres"])))
    async def ask():
        for number in range({QUERIES}):
            await one.fetch("{_QUERY}$1", number % 3)
    loop.run_until_complete(ask())

def sqlalchemy(event, context):
    from sqlalchemy import create_engine, text
    address = event["postgres"].replace("postgresql:", "postgresql+psycopg:")
    engine = connection("engine", lambda: create_engine(address))
    with engine.connect() as one:
        for number in range({QUERIES}):
            one.execute(text("{_QUERY}:id"), {{"id": number % 3}}).all()

def pymongo(event, context):
    import pymongo
    items = connection("pymongo", lambda: pymongo.MongoClient(event["mongo"])).shop.items
    for number in range({QUERIES}):
        items.find_one({{"_id": number % 3 + 1}})

def sqlite3(event, context):
    import sqlite3
    one = connection("sqlite3", lambda: sqlite3.connect(os.path.join(os.path.dirname(__file__), "shop.db")))
    for number in range({QUERIES}):
        one.execute("{_QUERY}?", (number % 3,)).fetchall()
"""
LIBRARIES = ("psycopg", "psycopg2", "pymysql", "asyncpg", "sqlalchemy", "pymongo", "sqlite3")


def _cpu_ns(pid: int) -> int:
    """CPU time of all threads of another process: its CPU clock (clock_getcpuclockid)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def _batch(worker: Any, event: dict[str, Any]) -> float:
    """us of CPU per invocation."""
    began = _cpu_ns(worker.pid)
    for _ in range(BATCH):
        outcome = worker.invoke(event)
        if outcome.result.status != "ok":
            raise RuntimeError(f"the handler failed: {outcome.result.error}")
    return (_cpu_ns(worker.pid) - began) / BATCH / 1e3


def _measure(
    zygote: Any, source: Path, name: str, event: dict[str, Any], generations: int, turns: int
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(generations):
        workers = {}
        for side in SIDES:
            spec = zygote.spec(
                source,
                f"handlers:{name}",
                name="bench",
                memory_mb=1024,
                timeout_s=60.0,
                profile="off",
                recording=side == "on",
            )
            workers[side] = zygote.fork(spec)
            workers[side].start()
            for _ in range(20):
                _batch(workers[side], event)
        for turn in range(turns):
            order = SIDES[turn % 3 :] + SIDES[: turn % 3]
            for side in order if turn % 2 else reversed(order):
                found[side].append(_batch(workers[side], event))
        for worker in workers.values():
            worker.stop()
            zygote.wait_exit(worker)
            worker.close()
    return found


def _quiet_us(batches: list[float]) -> float:
    """The first decile: what a batch takes where nothing else gets into its way."""
    return statistics.quantiles(batches, n=10)[0]


def _rows(name: str, found: dict[str, list[float]]) -> list[Row]:
    off, on, again = (_quiet_us(found[side]) for side in SIDES)
    percent, each = 100 * (on - off) / off, (on - off) / QUERIES
    limited = name not in ("sqlite3", "pymongo")
    most_us = MONGO_QUERY_US if name == "pymongo" else MAX_QUERY_US
    label = f"{QUERIES} queries, {name}"
    return [
        {"name": f"{label}: without recording", "value": round(off, 1), "unit": "us CPU/invocation"},
        {
            "name": f"{label}: overhead",
            "value": round(percent, 2),
            "unit": "% CPU",
            "target": f"<= {MAX_PERCENT:g}" if limited else "",
            "ok": percent <= MAX_PERCENT if limited else None,
        },
        {
            "name": f"{label}: overhead of each",
            "value": round(each, 2),
            "unit": "us CPU",
            "target": f"<= {most_us:g}",
            "ok": each <= most_us,
        },
        {"name": f"{label}: off against off", "value": round(100 * (again - off) / off, 2), "unit": "% CPU"},
    ]


def run(quick: bool = False) -> list[Row]:
    """Overhead of ten queries by each library."""
    generations, turns = (2, 40) if quick else (4, 120)
    return _all(generations, turns)


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    _all(1, 3)


def _all(generations: int, turns: int) -> list[Row]:
    sys.path.insert(0, str(_SUPPORT))
    from database_calls import fill
    from database_servers import MariaDb
    from mongo_calls import fill as fill_mongo
    from mongo_server import Mongo
    from pull_servers import Postgres, running
    from worker_harness import zygote

    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="rl-sql-") as name:
        folder = Path(name)
        (folder / "code").mkdir()
        (folder / "code" / "handlers.py").write_text(HANDLERS)
        with running(Postgres) as postgres, running(MariaDb) as mariadb, running(Mongo) as mongo:
            fill_mongo(mongo.url)
            file = str(folder / "code" / "shop.db")
            fill({"POSTGRES": postgres.url, "MARIADB": str(mariadb.port), "FILE": file})
            event = {"postgres": postgres.url, "mariadb": mariadb.port, "mongo": mongo.url}
            with zygote(folder, deps_dir=sysconfig.get_paths()["purelib"]) as running_zygote:
                for library in LIBRARIES:
                    found = _measure(running_zygote, folder / "code", library, event, generations, turns)
                    rows += _rows(library, found)
    return rows


if __name__ == "__main__":
    for line in run(quick="--quick" in sys.argv):
        print(json.dumps(line))
