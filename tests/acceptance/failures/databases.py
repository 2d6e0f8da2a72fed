"""Database handles among the locals."""

import sqlite3
import tempfile
from contextlib import closing

SCHEMA = "CREATE TABLE orders (id INTEGER PRIMARY KEY, sku TEXT UNIQUE, count INTEGER)"


def locked_table(event, context):
    """
    event = {sku = "A1"}
    error = "sqlite3.OperationalError"
    says = "database is locked"
    locals = {sku = "'A1'", path = ".db"}
    """
    sku = event["sku"]
    path = tempfile.mkstemp(suffix=".db")[1]
    with closing(sqlite3.connect(path)) as writer, closing(sqlite3.connect(path, timeout=0)) as other:
        writer.execute(SCHEMA)
        writer.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO orders (sku) VALUES (?)", (sku,))  # fails here


def order_twice(event, context):
    """
    event = {orders = [{sku = "A1"}, {sku = "B2"}, {sku = "A1"}]}
    error = "sqlite3.IntegrityError"
    says = "UNIQUE constraint failed: orders.sku"
    locals = {number = "2", order = "'A1'"}
    """
    store = sqlite3.connect(":memory:")
    store.execute(SCHEMA)
    for number, order in enumerate(event["orders"]):
        store.execute("INSERT INTO orders (sku, count) VALUES (:sku, 1)", order)  # fails here


def wrong_binding(event, context):
    """
    event = {filters = {sku = "A1", count = 3}}
    error = "sqlite3.ProgrammingError"
    says = "binding"
    locals = {query = "SELECT * FROM orders WHERE sku = ?", values = "[3]"}
    """
    store = sqlite3.connect(":memory:")
    store.execute(SCHEMA)
    query = "SELECT * FROM orders WHERE sku = ? AND count = ?"
    values = [value for name, value in event["filters"].items() if name != "sku"]
    return store.execute(query, values).fetchall()  # fails here


def used_after_close(event, context):
    """
    event = {id = 7}
    error = "sqlite3.ProgrammingError"
    says = "closed database"
    locals = {rows = "sqlite3.Cursor"}
    """
    with closing(sqlite3.connect(":memory:")) as store:
        store.execute(SCHEMA)
        rows = store.execute("SELECT * FROM orders WHERE id = ?", (event["id"],))
    return list(rows)  # fails here
