"""Generators, context managers and what hides behind them."""

import contextlib


def _pairs(values):
    values = iter(values)
    while True:
        yield next(values), next(values)


def odd_number_of_values(event, context):
    """
    event = {values = [1, 2, 3]}
    error = "RuntimeError"
    says = "generator raised StopIteration"
    chain = ["RuntimeError", "StopIteration"]
    locals = {values = "[1, 2, 3]"}
    """
    values = event["values"]
    return list(_pairs(values))  # fails here


def refuses_to_close(event, context):
    """
    event = {lines = ["a", "b"]}
    error = "RuntimeError"
    says = "generator ignored GeneratorExit"
    locals = {first = "'a'", reader = "generator"}
    """

    def read(lines):
        for line in lines:
            try:
                yield line
            except GeneratorExit:
                continue

    reader = read(event["lines"])
    first = next(reader)
    reader.close()  # fails here
    return first


async def failing_stream(event, context):
    """
    event = {pages = [{items = [1]}, {next = "p3"}]}
    error = "KeyError"
    locals = {page = "{'next': 'p3'}", number = "1"}
    """

    async def items(pages):
        for number, page in enumerate(pages):
            for item in page["items"]:  # fails here
                yield number, item

    return [item async for item in items(event["pages"])]


def cleanup_hides_the_cause(event, context):
    """
    event = {amount = -5}
    error = "OSError"
    says = "rollback"
    chain = ["OSError", "ValueError"]
    locals = {amount = "-5"}
    """

    @contextlib.contextmanager
    def transaction(amount):
        try:
            yield
        except ValueError:
            raise OSError(f"rollback of {amount} failed")  # fails here

    with transaction(event["amount"]), contextlib.ExitStack() as stack:
        stack.callback(list)
        if event["amount"] < 0:
            raise ValueError("a negative amount")


class Ledger:
    def __enter__(self):
        self.entries = []
        return self

    def __exit__(self, *failure):
        earned = [entry for entry in self.entries if entry > 0]
        return sum(self.entries) / len(earned) > 2  # fails here: empty_ledger


def empty_ledger(event, context):
    """
    event = {entries = [0, -3]}
    error = "ZeroDivisionError"
    locals = {self = "Ledger", failure = "(None, None, None)"}
    """
    with Ledger() as ledger:
        ledger.entries.extend(event["entries"])
