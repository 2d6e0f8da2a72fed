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
        "ALTER TABLE spans ADD COLUMN IF NOT EXISTS Name String AFTER Id",
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


def test_our_first_eleven_migrations_can_be_folded() -> None:
    statements = [statement for migration in load_migrations()[:11] for statement in migration.statements]
    assert {statement.split()[0] for statement in folded([*statements, *embedded_settings()])} == {"CREATE"}
