"""numpy arrays and pandas frames, small and large."""

import numpy as np
import pandas as pd


def shapes_do_not_fit(event, context):
    """
    event = {rows = 3}
    error = "ValueError"
    says = "could not be broadcast"
    locals = {prices = "ndarray", rates = "ndarray", rows = "3"}
    """
    rows = event["rows"]
    prices, rates = np.ones((rows, 4)), np.ones((rows, 3))
    return float((prices * rates).sum())  # fails here


def singular_matrix(event, context):
    """
    event = {matrix = [[1, 2], [2, 4]]}
    error = "LinAlgError"
    says = "Singular matrix"
    locals = {matrix = "ndarray"}
    """
    matrix = np.array(event["matrix"], dtype=float)
    return np.linalg.inv(matrix).tolist()  # fails here


def missing_column(event, context):
    """
    event = {rows = [{sku = "A1", n = 1}, {sku = "B2", n = 2}]}
    error = "KeyError"
    says = "price"
    locals = {table = "DataFrame"}
    """
    table = pd.DataFrame(event["rows"])
    return float((table["price"] * table["n"]).sum())  # fails here


def merge_that_repeats(event, context):
    """
    event = {orders = ["A1", "A1"], stock = ["A1", "A1"]}
    error = "MergeError"
    says = "many-to-one"
    locals = {orders = "DataFrame", stock = "DataFrame"}
    """
    orders, stock = (pd.DataFrame({"sku": event[name]}) for name in ("orders", "stock"))
    return len(orders.merge(stock, on="sku", validate="many_to_one"))  # fails here


def unreadable_date(event, context):
    """
    event = {days = ["2026-01-31", "2026-02-31"]}
    error = "ValueError"
    says = "day is out of range"
    locals = {days = "Series"}
    """
    days = pd.Series(event["days"])
    return pd.to_datetime(days, format="%Y-%m-%d").max().isoformat()  # fails here


def large_table(event, context):
    """
    event = {rows = 500000}
    error = "IndexError"
    locals = {table = "DataFrame", rows = "500000"}
    """
    rows = event["rows"]
    table = pd.DataFrame({"id": np.arange(rows), "price": np.full(rows, 9.5)})
    return float(table["price"].iloc[rows])  # fails here
