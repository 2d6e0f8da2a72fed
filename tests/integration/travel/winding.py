"""Functions whose frames come and go in every way that Python has; each fails at its end. Not imported: the
tests run it as an application."""

import asyncio
import contextlib
import functools
import sys
import threading


def numbers(count):
    got = 0
    try:
        for number in range(count):
            sent = yield number
            got += sent or 0
    finally:
        got += 1


def both(count):
    first = yield from numbers(count)
    yield first


def generators(event, context):
    found = []
    one, two = numbers(3), numbers(9)
    for a, b in zip(one, two, strict=False):
        found.append((a, b))
    two.close()
    three = both(4)
    next(three)
    with contextlib.suppress(ValueError):
        three.throw(ValueError("in the middle"))
    four = numbers(2)
    with contextlib.suppress(KeyError):
        four.throw(KeyError("before it began"))
    unfinished = numbers(5)
    next(unfinished)
    total = sum(number * 2 for number in numbers(6))
    table = {str(key): [value + 1 for value in numbers(key)] for key in numbers(4)}
    raise ValueError(found, total, table)


async def after(number):
    await asyncio.sleep(0.001 * (7 - number % 7))
    if number == 5:
        raise LookupError(number)
    return number


async def items(count):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@contextlib.asynccontextmanager
async def opened():
    yield await after(1)


async def coroutines(event, context):
    done = await asyncio.gather(*(after(number) for number in range(8)), return_exceptions=True)
    found = [item async for item in items(4)]
    async with opened() as number:
        found.append(number)
    task = asyncio.ensure_future(after(6))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    try:
        async with asyncio.timeout(0.002):
            await asyncio.sleep(1)
    except TimeoutError:
        found.append("late")
    raise ValueError(done, found)


class Guard:
    def __enter__(self):
        self.depth = 1
        return self

    def __exit__(self, kind, error, trace):
        self.depth = 0
        return kind is KeyError


def cleans_up(items):
    try:
        return items[3]
    except IndexError as error:
        raise RuntimeError("none left") from error
    finally:
        items.clear()


def exceptions(event, context):
    caught = []
    for number in range(4):
        with Guard() as guard:
            if number % 2:
                raise KeyError(number)
        caught.append(guard.depth)
        try:
            cleans_up([number])
        except RuntimeError as error:
            caught.append(str(error))
    try:
        int("x")
    finally:
        caught.append("left")


def counted(function):
    @functools.wraps(function)
    def wrapper(*values):
        wrapper.calls += 1
        return function(*values)

    wrapper.calls = 0
    return wrapper


@counted
def factorial(number):
    return 1 if number < 2 else number * factorial(number - 1)


def classes(event, context):
    class Shape:
        sides = tuple(number * 2 for number in range(3))
        name = "x".join(str(side) for side in sides)

        @property
        def size(self):
            return len(self.sides) + 1

        def __repr__(self):
            return f"Shape({self.size})"

    ordered = sorted([Shape(), Shape()], key=lambda shape: shape.size)
    total = factorial(12)
    match event:
        case {"kind": kind}:
            total += len(kind)
        case _:
            total += 1
    raise ValueError(ordered, total)


def endless(number):
    if number < 0:
        return 0
    return 1 + endless(number + 1)


def recursion(event, context):
    depth = 0
    try:
        depth = endless(0)
    except RecursionError:
        depth = sys.getrecursionlimit()
    with contextlib.suppress(RecursionError):
        endless(1)
    return endless(depth)


def work(found, number):
    for step in range(50):
        found[number] += step


def threads(event, context):
    found = [0, 0, 0]
    workers = [threading.Thread(target=work, args=(found, number)) for number in range(2)]
    stays = threading.Event()
    workers.append(threading.Thread(target=stays.wait))
    for worker in workers:
        worker.start()
    for _ in range(3_000):  # so long that a fork comes in between, however long the one before took
        work(found, 2)
    stays.set()
    for worker in workers:
        worker.join()
    raise ValueError(found)


def long_loop(event, context):
    total, seen = 0, []
    for number in range(4_000):
        total += number
        if number % 1_000 == 0:
            seen.append(total)
    raise ValueError(total)


def late(event, context):
    total = 0
    for number in range(3_000):
        total += number
    found = []
    for number in range(20):
        found.append(scaled(number, total))
    raise ValueError(found)


def scaled(number, total):
    result = number * 3
    result += total % 7
    return result


def writes(event, context):
    with open(event["path"], "w") as file:
        file.write("draft")
    total = 0
    for number in range(4_000):
        total += number
    raise ValueError(total)


def reads(event, context):
    total = 0
    with open(event["path"]) as file:
        for line in file:
            for number in range(60):
                total += len(line) + number
    for number in range(1_000):
        total += number
    raise ValueError(total)
