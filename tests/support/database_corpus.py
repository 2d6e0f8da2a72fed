# ruff: noqa: E501
"""Functions that fail because of what they read from a database, on one application; and their replays."""

from __future__ import annotations

import sqlite3

from database_calls import TABLES
from failure_corpus import link_libraries
from pull_servers import ForeignServer
from relive_cli import Relive, toml

__all__ = ["FUNCTIONS", "LIBRARIES", "WARM", "deploy", "fail"]

LIBRARIES = (
    "psycopg",
    "psycopg-binary",
    "psycopg2-binary",
    "pymysql",
    "asyncpg",
    "sqlalchemy",
    "django",
    "greenlet",
)
SOURCE = """
import asyncio, datetime, decimal, os, sqlite3

POSTGRES, MARIADB = os.environ["POSTGRES"], int(os.environ["MARIADB"])
HERE = os.path.dirname(os.path.abspath(__file__))
SHOP = {"host": "127.0.0.1", "port": MARIADB, "user": "relive", "password": "relive", "database": "shop"}
KEPT = {}

def no_row(event, context):
    import psycopg
    with psycopg.connect(POSTGRES) as connection:
        row = connection.execute("SELECT price FROM items WHERE id = %s", (event["id"],)).fetchone()
        return row[0]

def null_price(event, context):
    import psycopg
    with psycopg.connect(POSTGRES) as connection:
        prices = connection.execute("SELECT price FROM items ORDER BY id").fetchall()
    return sum(price * 2 for price, in prices)

def twice(event, context):
    import psycopg
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute("INSERT INTO items (id, name) VALUES (%s, %s)", (1, "again"))

def columns_by_name(event, context):
    import psycopg
    from psycopg.rows import dict_row
    with psycopg.connect(POSTGRES, row_factory=dict_row) as connection:
        return [row["cost"] for row in connection.execute("SELECT id, price FROM items")]

def nested(event, context):
    import psycopg
    with psycopg.connect(POSTGRES) as connection:
        found, = connection.execute("SELECT jsonb_build_object('address', jsonb_build_object('city', name)) FROM items").fetchone()
        return found["address"]["country"]

def savepoints(event, context):
    import psycopg
    with psycopg.connect(POSTGRES) as connection:
        before = connection.execute("SELECT sum(amount) FROM orders").fetchone()[0]
        with connection.transaction():
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO orders VALUES (1, 1, 1)")
            except psycopg.errors.UniqueViolation as error:
                raise ValueError(f"{before} ordered, and {error.diag.constraint_name} of {error.diag.table_name}") from error

def prepared_often(event, context):
    import psycopg
    with psycopg.connect(POSTGRES) as connection:
        names = [connection.execute("SELECT name FROM items WHERE id = %s", (number,)).fetchone() for number in range(9)]
    return [name[0] for name in names]

def together(event, context):
    import psycopg
    async def price(number):
        async with await psycopg.AsyncConnection.connect(POSTGRES) as connection:
            return (await (await connection.execute("SELECT price FROM items WHERE id = %s", (number,))).fetchone())[0]
    async def all():
        prices = await asyncio.gather(price(1), price(2), price(3))
        return decimal.Decimal("1.5") * max(prices)
    return asyncio.run(all())

def pages(event, context):
    import psycopg
    async def all():
        async with await psycopg.AsyncConnection.connect(POSTGRES) as connection:
            async with connection.cursor("pages") as cursor:
                await cursor.execute("SELECT id, name FROM items ORDER BY id")
                first = await cursor.fetchmany(2)
                rest = await cursor.fetchmany(2)
                return first[1], rest[1]
    return asyncio.run(all())

def kept_connection(event, context):
    import psycopg
    if "connection" not in KEPT:
        KEPT["connection"] = psycopg.connect(POSTGRES, autocommit=True)
    found = KEPT["connection"].execute("SELECT name FROM items WHERE id = %s", (event["id"],)).fetchone()
    return found[0]

def kept_asyncpg(event, context):
    import asyncpg
    loop = KEPT.setdefault("loop", asyncio.new_event_loop())
    async def ask():
        if "asyncpg" not in KEPT:
            KEPT["asyncpg"] = await asyncpg.connect(POSTGRES)
        return (await KEPT["asyncpg"].fetchrow("SELECT name FROM items WHERE id = $1", event["id"]))["name"]
    return loop.run_until_complete(ask())

def too_late(event, context):
    import psycopg
    async def all():
        async with await psycopg.AsyncConnection.connect(POSTGRES) as connection:
            await asyncio.wait_for(connection.execute("SELECT pg_sleep(30)"), 0.2)
    asyncio.run(all())

def money(event, context):
    import psycopg2
    connection = psycopg2.connect(POSTGRES)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT price FROM items WHERE id = 1")
        return cursor.fetchone()[0] * 1.19

def real_dict(event, context):
    import psycopg2, psycopg2.extras
    connection = psycopg2.connect(POSTGRES, cursor_factory=psycopg2.extras.RealDictCursor)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM items WHERE id = ANY(%s) ORDER BY id", ([1, 2],))
        return [row["title"] for row in cursor]

def foreign_key(event, context):
    import psycopg2
    connection = psycopg2.connect(POSTGRES)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders VALUES (%s, %s, %s)", (77, 99, 1))

def named(event, context):
    import psycopg2
    connection = psycopg2.connect(POSTGRES)
    with connection.cursor("named") as cursor:
        cursor.execute("SELECT made FROM items ORDER BY id")
        return [made.isoformat() for made, in cursor]

def duplicate(event, context):
    import pymysql
    connection = pymysql.connect(**SHOP)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO items (id, name) VALUES (%s, %s)", (2, "again"))

def mysql_dict(event, context):
    import pymysql, pymysql.cursors
    connection = pymysql.connect(**SHOP, cursorclass=pymysql.cursors.DictCursor)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, price FROM items WHERE id = %(id)s", {"id": 2})
        return cursor.fetchone()["amount"]

def unbuffered(event, context):
    import pymysql, pymysql.cursors
    connection = pymysql.connect(**SHOP, cursorclass=pymysql.cursors.SSCursor)
    with connection.cursor() as cursor:
        cursor.execute("SELECT made FROM items ORDER BY id")
        return [made.year for made, in cursor]

def no_table(event, context):
    import pymysql
    connection = pymysql.connect(**SHOP)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM items")
        cursor.execute("SELECT * FROM itmes WHERE id IN %s", ([row[0] for row in cursor.fetchall()],))

def lookup(event, context):
    connection = sqlite3.connect(os.path.join(HERE, "shop.db"))
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT id, name FROM items WHERE id = ?", (event["id"],)).fetchone()
    return row["name"]

def read_only(event, context):
    with sqlite3.connect(os.path.join(HERE, "shop.db")) as connection:
        count, = connection.execute("SELECT count(*) FROM orders").fetchone()
        connection.execute("INSERT INTO orders VALUES (?, 1, 1)", (count + 1,))

def own_tables(event, context):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a UNIQUE)")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])

def no_record(event, context):
    import asyncpg
    async def all():
        connection = await asyncpg.connect(POSTGRES)
        row = await connection.fetchrow("SELECT name FROM items WHERE id = $1", event["id"])
        return row["name"]
    return asyncio.run(all())

def unique_record(event, context):
    import asyncpg
    async def all():
        connection = await asyncpg.connect(POSTGRES)
        async with connection.transaction():
            await connection.execute("INSERT INTO items (id, name) VALUES ($1, $2)", 1, "again")
    asyncio.run(all())

def pooled(event, context):
    import asyncpg
    async def all():
        async with asyncpg.create_pool(POSTGRES, min_size=2, max_size=2) as pool:
            prices = await asyncio.gather(*[pool.fetchval("SELECT price FROM items WHERE id = $1", number) for number in (1, 2, 3)])
        return sum(prices)
    return asyncio.run(all())

def core(event, context):
    from sqlalchemy import create_engine, text
    engine = create_engine(POSTGRES.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        return connection.execute(text("SELECT name FROM items WHERE id = :id"), {"id": event["id"]}).scalar_one()

def models():
    from sqlalchemy import ForeignKey
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
    class Base(DeclarativeBase): ...
    class Item(Base):
        __tablename__ = "items"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        price: Mapped[decimal.Decimal | None]
        orders: Mapped[list["Order"]] = relationship()
    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        item: Mapped[int] = mapped_column(ForeignKey("items.id"))
        amount: Mapped[int]
    return Item, Order

def orm(event, context):
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import Session
    Item, _ = models()
    with Session(create_engine(POSTGRES.replace("postgresql://", "postgresql+psycopg2://"))) as session:
        items = session.scalars(select(Item).order_by(Item.id)).all()
        return [item.orders[0].amount * item.price for item in items]

def orm_mysql(event, context):
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session
    Item, _ = models()
    with Session(create_engine(f"mysql+pymysql://relive:relive@127.0.0.1:{MARIADB}/shop")) as session:
        session.add(Item(id=1, name="again"))
        session.commit()

def orm_async(event, context):
    from sqlalchemy import select
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    Item, _ = models()
    async def all():
        engine = create_async_engine(POSTGRES.replace("postgresql://", "postgresql+asyncpg://"))
        async with AsyncSession(engine) as session:
            return (await session.scalars(select(Item).where(Item.id > 1))).one().name
    return asyncio.run(all())

def orm_sqlite(event, context):
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import Session
    Item, Order = models()
    with Session(create_engine(f"sqlite:///{HERE}/shop.db")) as session:
        return session.scalars(select(Order).where(Order.amount > 1)).one().amount

def django_orm(event, context):
    import django
    from django.conf import settings
    place = POSTGRES.rpartition("@")[2]
    settings.configure(INSTALLED_APPS=[], USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField", DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": place.partition("/")[2], "USER": "postgres",
        "HOST": place.partition(":")[0], "PORT": place.partition(":")[2].partition("/")[0]}})
    django.setup()
    from django.db import models
    class Item(models.Model):
        id = models.IntegerField(primary_key=True)
        name = models.TextField()
        class Meta:
            app_label, db_table = "shop", "items"
    names = [item.name for item in Item.objects.order_by("id")]
    return Item.objects.get(name=names[0] + "?")
"""
FUNCTIONS = tuple(
    line[4:].partition("(")[0] for line in SOURCE.splitlines() if line.startswith("def ") and "(event" in line
)
WARM = ("kept_connection", "kept_asyncpg")
"""These fail in their second invocation, on a connection of the first one."""


def deploy(
    home: Relive, postgres: ForeignServer, mariadb: ForeignServer, names: tuple[str, ...] = FUNCTIONS
) -> None:
    """The application, with the libraries of this interpreter."""
    folder = home.home.parent / "databases"
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    (folder / "requirements.txt").write_text("\n".join(LIBRARIES) + "\n")
    with sqlite3.connect(folder / "shop.db") as file:
        file.executescript(TABLES)
    file.close()
    environment = f'environment = {{ POSTGRES = "{postgres.url}", MARIADB = "{mariadb.port}" }}'
    lines = {
        name: f'handler = "app:{name}"\ntimeout_s = 60\nmemory_mb = 512\nmax_workers = 1\n{environment}'
        for name in names
    }
    (folder / "relive.toml").write_text(toml(lines, "databases"))
    link_libraries(home.home / "deps", folder, LIBRARIES)
    home.run("deploy", str(folder))


def fail(home: Relive, name: str) -> str:
    """Have it fail; the invocation's id."""
    if name in WARM:
        assert home.invoke(name, {"id": 1})["status"] == "ok"
    row = home.invoke(name, {"id": 99})
    assert row["status"] != "ok", row
    return str(row["invocation_id"])
