"""Failures beside the handler: threads and tasks; groups of them."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor


def thread_dies_unseen(event, context):
    """
    event = {orders = [{price = 1}, {sku = "B2"}]}
    kind = "background"
    status = "ok"
    error = "KeyError"
    says = "price"
    locals = {order = "{'sku': 'B2'}"}
    """

    def total(orders):
        found = 0
        for order in orders:
            found += order["price"]  # fails here
        return found

    worker = threading.Thread(target=total, args=(event["orders"],), name="pricer")
    worker.start()
    worker.join()
    return "ok"


async def task_dies_unseen(event, context):
    """
    event = {order = {id = 3}}
    kind = "background"
    status = "ok"
    error = "KeyError"
    says = "address"
    locals = {order = "{'id': 3}"}
    """

    async def ship(order):
        await asyncio.sleep(0)
        return order["address"]  # fails here

    asyncio.create_task(ship(event["order"]), name="shipping")
    await asyncio.sleep(0.02)
    return "ok"


def thread_dies_first(event, context):
    """
    event = {port = 8125}
    error = "RuntimeError"
    says = "nothing was received"
    locals = {received = "[]"}
    background = "OverflowError"
    """
    received = []

    def listen(port):
        received.append((port + 65_536).to_bytes(2, "big"))

    listener = threading.Thread(target=listen, args=(event["port"],))
    listener.start()
    listener.join()
    if not received:
        raise RuntimeError("nothing was received")  # fails here


def pool_of_threads(event, context):
    """
    event = {numbers = ["1", "2", "three"]}
    error = "ValueError"
    says = "invalid literal for int() with base 10: 'three'"
    locals = {text = "'three'"}
    """

    def parse(text):
        return int(text)  # fails here

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(parse, event["numbers"]))


async def group_of_tasks(event, context):
    """
    event = {skus = ["A1", "", "C3", ""]}
    error = "ExceptionGroup"
    says = "2 sub-exceptions"
    members = ["ValueError", "ValueError"]
    locals = {skus = "['A1', '', 'C3', '']"}
    """
    skus = event["skus"]

    async def price(sku):
        if not sku:
            raise ValueError("no sku")
        return len(sku)

    async with asyncio.TaskGroup() as group:  # fails here
        for sku in skus:
            group.create_task(price(sku))


async def gathered(event, context):
    """
    event = {ids = [1, 2, 0]}
    error = "ZeroDivisionError"
    locals = {ident = "0"}
    """

    async def share(ident):
        await asyncio.sleep(0)
        return 100 / ident  # fails here

    return await asyncio.gather(*(share(ident) for ident in event["ids"]))


async def own_time_limit(event, context):
    """
    event = {limit_s = 0.05}
    error = "TimeoutError"
    chain = ["TimeoutError", "CancelledError"]
    locals = {limit_s = "0.05"}
    """
    limit_s = event["limit_s"]
    await asyncio.wait_for(asyncio.sleep(10), limit_s)  # fails here


def with_notes(event, context):
    """
    event = {line = 3, value = "x"}
    error = "ValueError"
    notes = "while reading line 3"
    locals = {value = "'x'"}
    """
    value = event["value"]
    try:
        return int(value)  # fails here
    except ValueError as error:
        error.add_note(f"while reading line {event['line']}")
        raise
