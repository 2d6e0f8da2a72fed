# ruff: noqa: E501
"""What functions ask databases, library by library: each appends what it got to `got`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

__all__ = ["CALLS", "fill", "source"]

TABLES = """
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS items;
CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL UNIQUE, price NUMERIC(10, 2), made TIMESTAMP);
CREATE TABLE orders (id INTEGER PRIMARY KEY, item INTEGER REFERENCES items (id), amount INTEGER);
INSERT INTO items VALUES (1, 'lamp', 10.50, '2026-01-02 03:04:05'), (2, 'chair', 99.99, NULL), (3, 'lämp', NULL, NULL);
INSERT INTO orders VALUES (1, 1, 2), (2, 2, 1), (3, 1, 5);
"""
ERRORS = """
def told(error):
    return (type(error).__module__, type(error).__qualname__, str(error), error.args)
"""
CALLS = {
    "pymysql": """
import pymysql, pymysql.cursors
connection = pymysql.connect(host="127.0.0.1", port=MARIADB, user="relive", password="relive", database="shop")
got.append(connection.get_server_info())
cursor = connection.cursor()
got.append(cursor.execute("SELECT id, name, price, made FROM items WHERE id > %s ORDER BY id", (0,)))
got += [cursor.description, cursor.rowcount, cursor.fetchone(), cursor.fetchall(), cursor.lastrowid]
cursor.execute("SELECT name FROM items WHERE id = %(id)s", {"id": 99})
got += [cursor.fetchone(), cursor.fetchall(), cursor.rowcount]
got.append(cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s)", [(10, 1, 1), (11, 2, 2)]))
try:
    cursor.execute("INSERT INTO items VALUES (%s, %s, NULL, NULL)", [1, "sofa"])
except pymysql.err.IntegrityError as error:
    got.append(told(error))
try:
    cursor.execute("SELECT nothing FROM nowhere")
except Exception as error:
    got.append(told(error))
connection.rollback()
cursor.execute("SELECT COUNT(*) FROM orders")
got.append(cursor.fetchone())
with connection.cursor(pymysql.cursors.DictCursor) as rows:
    rows.execute("SELECT i.name, o.id, i.id FROM items i JOIN orders o ON o.item = i.id ORDER BY o.id")
    got.append(rows.fetchall())
with connection.cursor(pymysql.cursors.SSCursor) as rows:
    rows.execute("SELECT id FROM items ORDER BY id")
    got += [rows.fetchone(), list(rows)]
connection.ping()
connection.begin()
connection.commit()
connection.autocommit(True)
got += [connection.get_autocommit(), isinstance(cursor, pymysql.cursors.Cursor), connection.open]
cursor.execute("SELECT CAST('{\\"a\\": [1]}' AS CHAR), 1.5e0, NULL, X'00FF', 18446744073709551615, TIME '10:00:01'")
got.append(cursor.fetchall())
got.append(connection.show_warnings())
connection.close()
got.append(connection.open)
try:
    cursor.execute("SELECT 1")
except Exception as error:
    got.append(told(error))
""",
    "psycopg": """
import psycopg
from psycopg.rows import dict_row, namedtuple_row
with psycopg.connect(POSTGRES) as connection:
    got += [connection.info.server_version > 0, connection.info.dbname, str(connection.info.timezone)]
    cursor = connection.execute("SELECT id, name, price, made FROM items WHERE id > %s ORDER BY id", (0,))
    got += [cursor.description, cursor.rowcount, cursor.fetchone(), cursor.fetchall(), cursor.statusmessage]
    for number in range(8):
        got.append(connection.execute("SELECT name FROM items WHERE id = %s", [number]).fetchone())
    with connection.cursor(row_factory=dict_row) as rows:
        rows.execute("SELECT i.name, o.id FROM items i JOIN orders o ON o.item = i.id WHERE o.id = %(id)s", {"id": 1})
        got.append(rows.fetchall())
    with connection.cursor(binary=True) as rows:
        rows.execute("SELECT id, price, made, jsonb_build_object('a', ARRAY[1]), ARRAY[1, 2], 1.5::float8, NULL FROM items ORDER BY id")
        got.append(rows.fetchall())
    got.append(connection.execute("SELECT now() IS NOT NULL, '10.0.0.1'::inet, int4range(1, 5), decode('00ff', 'hex'), "
               "'2026-01-01T00:00:00+02'::timestamptz, interval '1 day 2 hours', ARRAY['a', NULL], "
               "(1, 'x')::record, 'c4d4bf36-0000-0000-0000-000000000001'::uuid").fetchone())
    with connection.transaction():
        connection.execute("INSERT INTO orders VALUES (%s, %s, %s)", (20, 1, 1))
        try:
            with connection.transaction():
                connection.execute("INSERT INTO items (id, name) VALUES (%s, %s)", (1, "sofa"))
        except psycopg.errors.UniqueViolation as error:
            diag = error.diag
            got += [told(error), error.sqlstate, diag.constraint_name, diag.table_name, diag.message_detail, diag.severity]
    got.append(connection.info.transaction_status.name)
    connection.commit()
    got.append(connection.info.transaction_status.name)
    with connection.cursor() as many:
        many.executemany("INSERT INTO orders VALUES (%s, %s, %s)", [(21, 1, 1), (22, 2, 2)])
        got.append(many.rowcount)
        many.executemany("INSERT INTO orders VALUES (%s, %s, %s) RETURNING id", [(23, 1, 1), (24, 2, 2)], returning=True)
        while True:
            got.append(many.fetchall())
            if not many.nextset():
                break
    connection.rollback()
    with connection.cursor("named") as named:
        named.execute("SELECT id FROM items ORDER BY id")
        got += [named.fetchone(), named.fetchmany(1), list(named), named.description]
    with connection.cursor() as copying:
        with copying.copy("COPY (SELECT id, name FROM items ORDER BY id) TO STDOUT") as copy:
            got.append(list(copy.rows()))
        with copying.copy("COPY orders FROM STDIN") as copy:
            copy.write_row((40, 1, 7))
        got.append(copying.rowcount)
    with connection.pipeline():
        one = connection.execute("SELECT 1 AS one")
        two = connection.execute("SELECT %s::int AS two", (2,))
        got += [one.fetchone(), two.fetchone()]
    got.append(list(connection.cursor().stream("SELECT id FROM items ORDER BY id")))
    try:
        connection.execute("SELECT nothing FROM nowhere")
    except Exception as error:
        got.append(told(error))
    try:
        connection.execute("SELECT 1")
    except Exception as error:
        got.append(told(error))
    connection.rollback()
    connection.execute("SET TIME ZONE 'Europe/Berlin'")
    got.append(connection.execute("SELECT '2026-07-01T00:00:00Z'::timestamptz").fetchone())
    got.append(connection.cursor(row_factory=namedtuple_row).execute("SELECT 1 AS a, 2 AS b").fetchone())
    got += [type(connection), type(cursor), isinstance(connection, psycopg.Connection)]
got.append(connection.closed)
try:
    connection.execute("SELECT 1")
except Exception as error:
    got.append(told(error))
""",
    "psycopg_async": """
import asyncio, psycopg
async def asks(number):
    async with await psycopg.AsyncConnection.connect(POSTGRES) as connection:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT name, price FROM items WHERE id = %s", (number,))
            row = await cursor.fetchone()
            await cursor.execute("SELECT id FROM items WHERE id >= %s ORDER BY id", (number,))
            return row, [id async for id in cursor]
async def all():
    got.extend([await asks(1), await asks(2)])
    async with await psycopg.AsyncConnection.connect(POSTGRES, autocommit=True) as connection:
        try:
            await connection.execute("INSERT INTO items (id, name) VALUES (1, 'x')")
        except psycopg.errors.UniqueViolation as error:
            got.append(told(error))
        async with connection.cursor("named", withhold=True) as named:
            await named.execute("SELECT id FROM items ORDER BY id")
            got.append(await named.fetchall())
        try:
            await asyncio.wait_for(connection.execute("SELECT pg_sleep(20)"), 0.3)
        except TimeoutError as error:
            got.append(told(error))
asyncio.run(all())
""",
    "psycopg_refused": """
import psycopg
for place in ("postgresql://nobody@127.0.0.1:1/x", POSTGRES + "_no"):
    try:
        psycopg.connect(place)
    except psycopg.OperationalError as error:
        got.append((type(error), str(error).replace(chr(10), "|"), error.sqlstate))
""",
    "sqlite3": """
import sqlite3, tempfile, os
connection = sqlite3.connect(FILE)
cursor = connection.cursor()
got.append(cursor.execute("SELECT id, name, price, made FROM items WHERE id > ? ORDER BY id", (0,)) is cursor)
got += [cursor.description, cursor.rowcount, cursor.fetchone(), cursor.fetchall(), cursor.fetchone(), cursor.lastrowid]
got.append([row for row in connection.execute("SELECT name FROM items WHERE id < :id", {"id": 3})])
got.append(connection.in_transaction)
cursor.execute("INSERT INTO orders VALUES (?, ?, ?)", (50, 1, 1))
got += [connection.in_transaction, cursor.lastrowid, cursor.rowcount, connection.total_changes]
cursor.executemany("INSERT INTO orders VALUES (?, ?, ?)", ((number, 1, 1) for number in (51, 52)))
got.append(cursor.rowcount)
try:
    cursor.execute("INSERT INTO items (id, name) VALUES (1, 'sofa')")
except sqlite3.IntegrityError as error:
    got += [told(error), error.sqlite_errorname, error.sqlite_errorcode]
connection.rollback()
try:
    connection.execute("SELECT nothing FROM nowhere")
except sqlite3.OperationalError as error:
    got += [told(error), error.sqlite_errorname]
connection.row_factory = sqlite3.Row
row = connection.execute("SELECT i.name, o.amount AS many FROM items i JOIN orders o ON o.item = i.id").fetchone()
got += [row.keys(), row["many"], tuple(row), type(row)]
connection.row_factory = lambda cursor, row: {column[0]: cell for column, cell in zip(cursor.description, row)}
got += [connection.execute("SELECT id, name FROM items").fetchmany(2), list(connection.execute("SELECT id FROM items"))]
got.append(connection.row_factory is connection.cursor().row_factory)
with connection:
    connection.execute("UPDATE orders SET amount = 3 WHERE id = 1")
got += [connection.in_transaction, isinstance(connection, sqlite3.Connection), type(connection).__name__, type(cursor).__qualname__]
class Mine(sqlite3.Cursor):
    def execute(self, sql, *arguments):
        return super().execute(sql.replace("%s", "?"), *arguments)
got.append(connection.cursor(Mine).execute("SELECT %s + 1", (1,)).fetchone())
got.append(connection.executescript("BEGIN; DELETE FROM orders WHERE id = 2; COMMIT;").fetchall())
connection.close()
try:
    connection.execute("SELECT 1")
except sqlite3.ProgrammingError as error:
    got.append(told(error))
try:
    cursor.fetchone()
except sqlite3.ProgrammingError as error:
    got.append(told(error))
own = sqlite3.connect(os.path.join(tempfile.gettempdir(), "own-%d.db" % os.getpid()))
own.execute("CREATE TABLE IF NOT EXISTS t (a)")
own.execute("INSERT INTO t VALUES (1)")
got.append(own.execute("SELECT * FROM t").fetchall())
memory = sqlite3.connect(":memory:")
got.append(memory.execute("SELECT 1 + 1").fetchall())
try:
    sqlite3.connect("/nowhere/at/all.db")
except sqlite3.OperationalError as error:
    got.append(told(error))
""",
    "psycopg2": """
import io, psycopg2, psycopg2.extras, psycopg2.extensions
from psycopg2 import sql
connection = psycopg2.connect(POSTGRES)
got += [connection.server_version > 0, connection.info.dbname, connection.encoding, connection.autocommit]
cursor = connection.cursor()
cursor.execute("SELECT id, name, price, made FROM items WHERE id > %s ORDER BY id", (0,))
got += [cursor.description, cursor.rowcount, cursor.fetchone(), cursor.fetchall(), cursor.fetchone(), cursor.statusmessage]
cursor.execute("SELECT name FROM items WHERE id = ANY(%(ids)s) ORDER BY name", {"ids": [1, 2]})
got += [list(cursor), connection.status, connection.get_transaction_status()]
cursor.execute("SELECT '{1,2}'::int[], int4range(1, 5), decode('00ff', 'hex')::bytea IS NULL, 1.5::float8, NULL, "
               "'2026-01-01T00:00:00+02'::timestamptz, interval '1 day 2 hours', jsonb_build_object('a', 1), '10.0.0.1'::inet")
got.append(cursor.fetchone())
cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s)", [(20, 1, 1), (21, 2, 2)])
got.append(cursor.rowcount)
try:
    cursor.execute("INSERT INTO items (id, name) VALUES (%s, %s)", (1, "sofa"))
except psycopg2.errors.UniqueViolation as error:
    got += [told(error), error.pgcode, error.pgerror, error.diag.constraint_name, error.diag.message_detail]
try:
    cursor.execute("SELECT 1")
except psycopg2.Error as error:
    got += [told(error), connection.get_transaction_status() in (2, 3)]
connection.rollback()
got.append(connection.status)
with connection, connection.cursor(cursor_factory=psycopg2.extras.DictCursor) as rows:
    rows.execute("SELECT i.name, o.amount FROM items i JOIN orders o ON o.item = i.id ORDER BY o.id")
    row = rows.fetchone()
    got += [row["name"], row, type(row), dict(row), rows.fetchmany(1)]
with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as rows:
    rows.execute(sql.SQL("SELECT {} FROM items ORDER BY 1").format(sql.Identifier("name")))
    got.append(rows.fetchall())
with connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as rows:
    rows.execute("SELECT id, name FROM items ORDER BY id")
    got.append([row.name for row in rows])
with connection.cursor("named") as named:
    named.itersize = 2
    named.execute("SELECT id FROM items ORDER BY id")
    got += [named.fetchone(), [row for row in named]]
target = io.StringIO()
cursor.copy_expert("COPY (SELECT id, name FROM items ORDER BY id) TO STDOUT", target)
got.append(target.getvalue())
cursor.copy_from(io.StringIO("90\\t1\\t5\\n"), "orders")
got.append(cursor.rowcount)
psycopg2.extras.execute_values(cursor, "INSERT INTO orders VALUES %s RETURNING id", [(91, 1, 1), (92, 1, 1)])
got.append(cursor.fetchall())
cursor.callproc("upper", ["a"])
got += [cursor.fetchall(), cursor.mogrify("SELECT %s", ("a'b",)), cursor.query is not None]
connection.rollback()
connection.autocommit = True
got += [isinstance(connection, psycopg2.extensions.connection), isinstance(cursor, psycopg2.extensions.cursor),
        type(connection).__name__, type(cursor).__name__, connection.closed]
connection.close()
got.append(connection.closed)
try:
    cursor.execute("SELECT 1")
except psycopg2.InterfaceError as error:
    got.append(told(error))
try:
    psycopg2.connect("postgresql://nobody@127.0.0.1:1/x")
except psycopg2.OperationalError as error:
    got.append((type(error), str(error), error.pgcode))
""",
    "asyncpg": """
import asyncio, asyncpg, json
async def all():
    connection = await asyncpg.connect(POSTGRES)
    got.append((connection.get_server_version().major > 0, connection.get_settings().TimeZone))
    rows = await connection.fetch("SELECT id, name, price, made FROM items WHERE id > $1 ORDER BY id", 0)
    got.extend([rows, type(rows[0]), rows[0]["name"], dict(rows[1])])
    for number in (1, 2, 9):
        got.append(await connection.fetchrow("SELECT name FROM items WHERE id = $1", number))
    got.append(await connection.fetchval("SELECT ARRAY[1, 2]"))
    got.append(await connection.fetchrow("SELECT 'a'::text, 1.5::float8, NULL::int, '2026-01-01T00:00:00+02'::timestamptz, "
        "interval '1 day 2 hours', '10.0.0.1'::inet, int4range(1, 5), decode('00ff', 'hex'), 12345.678::numeric, "
        "-0.001::numeric, 0::numeric, 1e20::numeric, 'c4d4bf36-0000-0000-0000-000000000001'::uuid, true, '2026-02-03'::date, "
        "'{\\"a\\": 1}'::jsonb, (1, 'x'::text), '10:00'::time"))
    got.append(await connection.execute("CREATE TEMP TABLE t (a int, b text)"))
    got.append(await connection.execute("INSERT INTO t VALUES ($1, $2)", 1, "one"))
    await connection.executemany("INSERT INTO t VALUES ($1, $2)", [(2, "two"), (3, None)])
    got.append(await connection.fetch("SELECT * FROM t ORDER BY a"))
    async with connection.transaction():
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO items (id, name) VALUES ($1, $2)", 1, "sofa")
        except asyncpg.UniqueViolationError as error:
            got.extend([told(error), error.sqlstate, error.constraint_name, error.detail, error.table_name, error.as_dict()["severity"]])
        got.append(connection.is_in_transaction())
        async for row in connection.cursor("SELECT id FROM items ORDER BY id", prefetch=2):
            got.append(row)
    got.append(connection.is_in_transaction())
    try:
        await connection.fetch("SELECT nothing FROM nowhere")
    except Exception as error:
        got.append(told(error))
    statement = await connection.prepare("SELECT $1::int + 1 AS more")
    got.extend([await statement.fetchval(5), statement.get_attributes(), statement.get_parameters(), statement.get_query()])
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    got.append(await connection.fetchval("SELECT jsonb_build_object('a', ARRAY[1])"))
    import io
    target = io.BytesIO()
    got.append(await connection.copy_from_query("SELECT id, name FROM items ORDER BY id", output=target))
    got.append(target.getvalue())
    got.append(await connection.copy_records_to_table("t", records=[(7, "seven")]))
    try:
        await connection.fetch("SELECT pg_sleep(20)", timeout=0.3)
    except TimeoutError as error:
        got.append(told(error))
    got.append(await connection.execute("SELECT 1; SELECT 2"))
    await connection.close()
    got.append(connection.is_closed())
    async with asyncpg.create_pool(POSTGRES, min_size=1, max_size=2) as pool:
        got.append(await asyncio.gather(*[pool.fetchval("SELECT $1::int", number) for number in range(2)]))
        async with pool.acquire() as one:
            got.append(await one.fetchval("SELECT 5"))
            got.append(isinstance(one, asyncpg.pool.PoolConnectionProxy))
    for place in ("postgresql://nobody@127.0.0.1:1/x", POSTGRES + "_no"):
        try:
            await asyncpg.connect(place)
        except Exception as error:
            got.append(told(error))
asyncio.run(all())
""",
    "pymysql_refused": """
import pymysql
try:
    pymysql.connect(host="127.0.0.1", port=MARIADB, user="relive", password="wrong", database="shop")
except Exception as error:
    got.append(told(error))
try:
    pymysql.connect(host="127.0.0.1", port=1)
except Exception as error:
    got.append(told(error))
""",
}


def source(name: str, places: Mapping[str, str]) -> str:
    """A handler that makes the calls and fails with what it got."""
    calls = CALLS[name]
    for place, value in places.items():
        calls = calls.replace(place, value if place == "MARIADB" else repr(value))
    body = "\n".join(f"    {line}" for line in calls.splitlines())
    return (
        f"{ERRORS}\ndef handler(event, context):\n    got = []\n{body}\n    raise RuntimeError(repr(got))\n"
    )


def fill(places: Mapping[str, str]) -> None:
    """The same tables in each database."""
    import psycopg
    import pymysql

    with psycopg.connect(places["POSTGRES"], autocommit=True) as postgres:
        for statement in TABLES.strip().split(";\n"):
            postgres.execute(statement.rstrip(";"))  # type: ignore[arg-type]
    mariadb = pymysql.connect(
        host="127.0.0.1", port=int(places["MARIADB"]), user="relive", password="relive", database="shop"
    )
    with mariadb.cursor() as cursor:
        for statement in TABLES.strip().split(";\n"):
            cursor.execute(statement.rstrip(";"))
    mariadb.commit()
    mariadb.close()
    Path(places["FILE"]).unlink(missing_ok=True)
    with sqlite3.connect(places["FILE"]) as file:
        file.executescript(TABLES)
    file.close()
