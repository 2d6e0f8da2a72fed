"""What relive_store offers is there, and costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import relive_store


def test_every_name_that_is_offered_is_there() -> None:
    assert [name for name in relive_store.__all__ if not hasattr(relive_store, name)] == []
    assert not hasattr(relive_store, "writer_of_letters")


def test_importing_it_imports_neither_an_engine_nor_what_only_the_collector_needs() -> None:
    # Given an interpreter of its own
    script = """
import sys, relive_store
heavy = {"chdb", "clickhouse_driver", "relive_store.spool", "relive_store.embedded", "relive_store.native"}
before = heavy & set(sys.modules)
from relive_store import Writer
print(before, Writer.__module__)
"""
    # When the package is imported, and then one of its names
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    # I expect that only the second brings the module of that name
    assert done.stdout.split("\n")[0] == "set() relive_store.spool.writer"
