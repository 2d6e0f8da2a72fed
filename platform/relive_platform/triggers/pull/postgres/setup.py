"""What is ours in a database of others: a slot, and a publication if none is named."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from relive_platform.triggers.pull.connector import SetupError
from relive_platform.triggers.pull.postgres import statements as sql
from relive_platform.triggers.pull.postgres.config import OPERATIONS, PostgresTrigger

__all__ = ["connect", "ensure_publication", "ensure_slot", "slot_name"]

_CONNECT_S: Final = 10
_LOST: Final = ("lost",)
_TABLE_KINDS: Final = ("r", "p")
_SETTINGS: Final = (
    ("datestyle", "ISO, YMD"),
    ("timezone", "UTC"),
    ("intervalstyle", "iso_8601"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("statement_timeout", "0"),
    ("idle_session_timeout", "0"),
)


def slot_name(trigger: PostgresTrigger, tag: str) -> str:
    """The slot's, and our own publication's."""
    return trigger.slot or f"relive_{tag}"


async def connect(address: str) -> Any:
    """A connection on which values have the texts that `values` reads."""
    import psycopg

    connection = await psycopg.AsyncConnection.connect(
        address,
        autocommit=True,
        connect_timeout=_CONNECT_S,
        application_name="relive",
        keepalives_idle=30,
    )
    for option in _SETTINGS:
        try:
            await connection.execute("SELECT set_config(%s, %s, false)", option)
        except psycopg.errors.UndefinedObject:
            continue  # an older PostgreSQL has no such setting
    return connection


async def ensure_publication(connection: Any, trigger: PostgresTrigger, tag: str) -> str:
    """The publication; ours is made, or changed to what is asked for now. Raises SetupError."""
    from psycopg.sql import SQL, Identifier, Literal

    if trigger.publication:
        if await _one(connection, sql.PUBLISHES, (trigger.publication,)) is None:
            hint = f'CREATE PUBLICATION "{trigger.publication}" FOR TABLE ...'
            raise SetupError(f"there is no publication {trigger.publication!r}", hint=hint)
        return trigger.publication
    name = slot_name(trigger, tag)
    tables = [await _table(connection, table, trigger.operations) for table in trigger.tables]
    listed = SQL(", ").join(Identifier(schema, table) for schema, table in tables)
    publishes = Literal(", ".join(operation for operation in OPERATIONS if operation in trigger.operations))
    known = await _one(connection, sql.PUBLISHES, (name,))
    try:
        if known is None:
            options = SQL(" WITH (publish = {}, publish_via_partition_root = true)").format(publishes)
            await connection.execute(
                SQL("CREATE PUBLICATION {} FOR TABLE ").format(Identifier(name)) + listed + options
            )
            return name
        cursor = await connection.execute(sql.PUBLISHED, (name,))
        if {tuple(row) for row in await cursor.fetchall()} != set(tables):
            await connection.execute(SQL("ALTER PUBLICATION {} SET TABLE ").format(Identifier(name)) + listed)
        if tuple(known) != tuple(operation in trigger.operations for operation in OPERATIONS):
            await connection.execute(
                SQL("ALTER PUBLICATION {} SET (publish = {})").format(Identifier(name), publishes)
            )
    except _insufficient() as error:
        hint = f"have its owner CREATE PUBLICATION {name} FOR TABLE ..., and name that with `publication`"
        raise SetupError(f"the role may not publish {trigger.place}", hint=hint) from error
    return name


async def ensure_slot(connection: Any, trigger: PostgresTrigger, tag: str) -> str:
    """The slot; one that is not there is made, and begins now. Raises SetupError."""
    name = slot_name(trigger, tag)
    level = await _one(connection, sql.WAL_LEVEL, ())
    if level is not None and level[0] != "logical":
        hint = "ALTER SYSTEM SET wal_level = logical, then restart PostgreSQL; or use an `outbox`"
        raise SetupError(f"PostgreSQL's wal_level is {level[0]!r}, and a slot needs 'logical'", hint=hint)
    found = await _one(connection, sql.SLOT, (name,))
    if found is None:
        try:
            await connection.execute(sql.CREATE_SLOT, (name,))
        except _insufficient() as error:
            hint = "ALTER ROLE ... REPLICATION"
            raise SetupError("the role may not make a replication slot", hint=hint) from error
        return name
    plugin, ours, status = found[:3]
    if plugin != "pgoutput" or not ours:
        message = f"the slot {name!r} is of another database or plugin ({plugin})"
        raise SetupError(message, hint="name another one with `slot`")
    if status in _LOST:
        hint = f"SELECT pg_drop_replication_slot('{name}'): Relive makes a new one, which begins there"
        raise SetupError(f"PostgreSQL has invalidated the slot {name!r}: changes are lost", hint=hint)
    return name


async def _table(connection: Any, name: str, operations: Collection[str]) -> tuple[str, str]:
    found = await _one(connection, sql.TABLE, (name,))
    if found is None:
        raise SetupError(f"there is no table {name!r}", hint="write its schema too, as in public.orders")
    schema, table, kind, identified = found
    if kind not in _TABLE_KINDS:
        raise SetupError(f"{name!r} is not a table", hint="views and foreign tables have no changes")
    if not identified and not {"update", "delete"}.isdisjoint(operations):
        raise SetupError(
            f"{name!r} has no primary key: once published, PostgreSQL would refuse its updates and deletes",
            hint='give it one, ALTER TABLE ... REPLICA IDENTITY FULL, or operations = ["insert", "truncate"]',
        )
    return schema, table


async def _one(connection: Any, statement: str, values: tuple[Any, ...]) -> Any:
    cursor = await connection.execute(statement, values)
    return await cursor.fetchone()


def _insufficient() -> Any:
    from psycopg.errors import InsufficientPrivilege

    return InsufficientPrivilege
