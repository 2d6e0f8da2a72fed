"""Migrations for an empty database: tables are made as they will be."""

from __future__ import annotations

import pytest
from relive_store import load_migrations
from relive_store.tables.folding import folded
from relive_store.tables.schema import embedded_settings

TABLE = """CREATE TABLE IF NOT EXISTS spans
(
    Id String,
    INDEX idx_id Id TYPE minmax
)
ENGINE = MergeTree
ORDER BY Id"""
VIEW = "CREATE VIEW IF NOT EXISTS seen AS\nSELECT Id FROM spans"


def test_changes_of_a_table_become_part_of_it() -> None:
    statements = [
        TABLE,
        VIEW,
        "ALTER TABLE spans\n    ADD COLUMN IF NOT EXISTS Name String,\n"
        "    ADD COLUMN IF NOT EXISTS N Map(UInt8, UInt8) CODEC(Delta(8), ZSTD(1)),\n"
        "    ADD INDEX IF NOT EXISTS idx_n N TYPE minmax",
        "DROP VIEW IF EXISTS seen",
        "DROP VIEW IF EXISTS never_made",
        "TRUNCATE TABLE spans",
        "INSERT INTO spans\nSELECT Id, count() FROM spans\nGROUP BY Id",
        "ALTER TABLE spans MODIFY SETTING a = 1, b = 2",
        "ALTER TABLE spans MODIFY SETTING c = 3",
        VIEW.replace("Id", "Name"),
    ]
    assert folded(statements) == [
        TABLE.replace(
            "Id String", "Id String,\n    Name String,\n    N Map(UInt8, UInt8) CODEC(Delta(8), ZSTD(1))"
        ).replace("minmax", "minmax,\n    INDEX idx_n N TYPE minmax")
        + "\nSETTINGS a = 1, b = 2, c = 3",
        VIEW.replace("Id", "Name"),
    ]


@pytest.mark.parametrize(
    "strange",
    [
        "ALTER TABLE spans ADD COLUMN IF NOT EXISTS Name String AFTER NotThere",
        "ALTER TABLE spans ADD COLUMN IF NOT EXISTS Name String FIRST",
        "ALTER TABLE spans MODIFY COLUMN Id UInt8",
        "ALTER TABLE spans ADD COLUMN IF NOT EXISTS Name String, DROP INDEX idx_id",
        "ALTER TABLE spans ADD COLUMN Name String",
        "ALTER TABLE elsewhere ADD COLUMN IF NOT EXISTS Name String",
        "ALTER TABLE spans MODIFY SETTING a = 2",
        "TRUNCATE TABLE elsewhere",
        "INSERT INTO spans SELECT count() FROM spans",
        "INSERT INTO spans SELECT Id FROM elsewhere GROUP BY Id",
        "INSERT INTO spans VALUES ('a')",
        TABLE,
    ],
)
def test_what_cannot_be_folded_stays_as_it_is_with_all_behind_it(strange: str) -> None:
    table = f"{TABLE}\nSETTINGS a = 1"
    behind = "ALTER TABLE spans ADD COLUMN IF NOT EXISTS Last String"
    assert folded([table, strange, behind]) == [table, strange, behind]


def test_columns_have_the_place_that_a_change_gives_them() -> None:
    # Given a table whose columns have commas and lines of their own, and columns that are put behind those
    table = TABLE.replace("Id String,", "Id String CODEC(Delta(8), ZSTD(1)),\n    Idle UInt8,")
    statements = [
        table,
        "ALTER TABLE spans\n    ADD COLUMN IF NOT EXISTS A Array(UInt8) MATERIALIZED arrayMap(\n"
        "    (a, b) -> ')',\n    arrayMap(x -> x, []), []) AFTER Id,\n"
        "    ADD COLUMN IF NOT EXISTS B UInt8 DEFAULT 1 AFTER A",
        "ALTER TABLE spans ADD COLUMN IF NOT EXISTS C UInt8 AFTER Idle",
        "ALTER TABLE spans MATERIALIZE COLUMN A",
    ]
    # When they are folded, I expect each at once behind the one that is named
    (made,) = folded(statements)
    names = [line.split()[0] for line in made.splitlines() if line.startswith("    ") and "->" not in line]
    assert names == ["Id", "A", "B", "Idle", "C", "INDEX"]
    assert "ZSTD(1)),\n    A Array(UInt8)" in made
    assert "[]), []),\n    B UInt8 DEFAULT 1,\n    Idle UInt8,\n    C UInt8,\n    INDEX" in made
    # and the same of the last one of a table that has nothing behind its columns
    bare = "CREATE TABLE IF NOT EXISTS t\n(\n    Id String\n)\nENGINE = Log"
    last = "ALTER TABLE t ADD COLUMN IF NOT EXISTS B UInt8 AFTER Id"
    assert folded([bare, last]) == [bare.replace("String", "String,\n    B UInt8")]


def test_all_migrations_can_be_folded() -> None:
    statements = [statement for migration in load_migrations() for statement in migration.statements]
    assert {statement.split()[0] for statement in folded([*statements, *embedded_settings()])} == {"CREATE"}
