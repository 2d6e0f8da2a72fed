"""Counts that a file keeps of its own rows, so that nobody has to count them when it is opened.

Triggers of SQLite change them in the statement that changes the rows: whoever writes the file, and however
a transaction ends, they are right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

__all__ = ["keep_totals"]

_IS_THERE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"


def keep_totals(db: sqlite3.Connection, table: str, statements: Sequence[str]) -> None:
    """Have the totals in `table` kept from now on: `statements` make it, count what is there (once, in a file
    of before), and then the triggers; all of that, or nothing."""
    if db.execute(_IS_THERE, (table,)).fetchone() is not None:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            db.execute(statement)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
