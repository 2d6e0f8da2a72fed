"""Functions that never come back: locks, loops, regular expressions, coroutines."""

import asyncio
import queue
import re
import threading
import time


def deadlock_with_itself(event, context):
    """
    event = {account = "EUR"}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {account = "'EUR'", lock = "locked"}
    """
    account, lock = event["account"], threading.Lock()
    with lock:
        lock.acquire()  # fails here
    return account


def deadlock_of_two(event, context):
    """
    event = {transfer = [10, 20]}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {transfer = "[10, 20]"}
    thread = {name = "back", local = "amount", text = "20"}
    """
    transfer, one, two, held = event["transfer"], threading.Lock(), threading.Lock(), threading.Barrier(2)

    def back(amount):
        with two:
            held.wait()
            with one:
                return amount

    threading.Thread(target=back, args=(transfer[1],), name="back", daemon=True).start()
    with one:
        held.wait()
        with two:  # fails here
            return transfer


def empty_queue(event, context):
    """
    event = {workers = 2}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {workers = "2", results = "Queue"}
    """
    workers, results = event["workers"], queue.Queue()
    for _ in range(workers):
        results.get()  # fails here


def endless_loop(event, context):
    """
    event = {start = 5}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {start = "5"}
    where = "_collatz_wrong"
    """
    start = event["start"]
    return _collatz_wrong(start)


def _collatz_wrong(start):
    number = start
    while number != 0:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
    return number


def slow_pattern(event, context):
    """
    event = {text = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {text = "aaaa", pattern = "(a+)+$"}
    """
    text, pattern = event["text"], re.compile("(a+)+$")
    return pattern.match(text) is not None  # fails here


def native_loop(event, context):
    """
    event = {limit = 1000000000000}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {limit = "1000000000000"}
    missing = "outside"
    """
    limit = event["limit"]
    return sum(range(limit))  # fails here


def swallowed_timeout(event, context):
    """
    event = {attempts = 3}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {attempts = "3"}
    missing = "outside"
    """
    attempts = event["attempts"]
    while True:
        try:
            time.sleep(30)  # fails here
        except BaseException:
            attempts = max(attempts, 1)


async def never_awaits_an_answer(event, context):
    """
    event = {peers = ["a", "b"]}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {peers = "['a', 'b']"}
    task = {name = "ask-b", local = "peer", text = "'b'"}
    """
    peers = event["peers"]

    async def ask(peer):
        await asyncio.get_running_loop().create_future()

    asked = [asyncio.create_task(ask(peer), name=f"ask-{peer}") for peer in peers]
    await asyncio.wait(asked)  # fails here


def loop_of_its_own(event, context):
    """
    event = {peers = ["c"]}
    kind = "timeout"
    status = "timeout"
    error = "Timeout"
    timeout_s = 1.0
    locals = {peers = "['c']"}
    task = {name = "reader", local = "peer", text = "'c'"}
    """
    peers = event["peers"]

    async def read(peer):
        await asyncio.Event().wait()

    async def main():
        await asyncio.create_task(read(peers[0]), name="reader")

    asyncio.run(main())  # fails here
