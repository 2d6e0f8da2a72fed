"""Code in threads and their pools belongs to the request that has given it there."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from relive_runtime.worker.beside.carrying import Carrier
from relive_tracer.record import InvocationState

ours, theirs = ContextVar("ours"), ContextVar("theirs", default="unset")
carrier = Carrier(lambda: ours.get(None), [ours])
carrier.install()
one, two = (InvocationState(name, "", "", 0) for name in ("one", "two"))
pool = ThreadPoolExecutor(1)

def whose():
    state = ours.get(None)
    ident = threading.get_ident()
    return state and state.invocation_id, theirs.get(), carrier.threads.get(ident) is state

def in_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(whose()))
    thread.start()
    thread.join()
    return found[0]

def run(state):
    ours.set(state)
    theirs.set("set")
    return pool.submit(whose).result(), in_thread()

for state in (one, two):
    print(copy_context().run(run, state))
print(pool.submit(whose).result(), in_thread(), carrier.threads)
"""
TWICE = """
import threading, traceback
from contextvars import ContextVar
from relive_runtime.worker.beside.carrying import Carrier
Carrier(lambda: None, [ContextVar("ours")]).install()
thread = threading.Thread(target=int)
thread.start()
thread.join()
try:
    thread.start()
except RuntimeError as error:
    print([frame.name for frame in traceback.extract_tb(error.__traceback__)])
"""


def test_it_is_known_whose_they_are_and_the_users_variables_stay_apart() -> None:
    # When two requests in turn, and then nobody, use a pool with one thread, and threads
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)

    # I expect each call to be of its own request, without the variables that the user has set there
    whose = [f"('{name}', 'unset', True)" for name in ("one", "two")]
    nobody = "(None, 'unset', True)"
    assert done.stdout.splitlines() == [*(f"({one}, {one})" for one in whose), f"{nobody} {nobody} {{}}"]


def test_a_thread_that_cannot_be_started_says_so_without_a_frame_of_ours() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["['<module>',", "'start']"]


ANYIO = """
import asyncio
import threading
from contextvars import ContextVar
from types import SimpleNamespace
from anyio import to_thread
from relive_runtime.worker.beside.carrying import Carrier
from relive_runtime.worker.beside.whereabouts import Whereabouts
from relive_tracer.record import InvocationState

ours = ContextVar("ours")
current = lambda: ours.get(None)
carrier = Carrier(current, [ours])
carrier.install()
attempts = {}
telemetry = SimpleNamespace(current=current, current_of=lambda context: context.get(ours))
where = Whereabouts(attempts, telemetry, carrier.threads)
begun, go = threading.Event(), threading.Event()

def stands():
    begun.set()
    go.wait()

def names(frame):
    found = []
    while frame is not None:
        found.append(frame.f_code.co_name)
        frame = frame.f_back
    return found

def shown(attempt):
    found = where.frames_of(attempt)
    return "stands" in (names(found) if hasattr(found, "f_back") else [one.f_code.co_name for one in found])

def seen():
    return [(look.of, "stands" in names(frame)) for look, _, frame, _ in where.threads()]

async def request(name):
    ours.set(InvocationState(name, "", "", 0))
    attempts[name] = SimpleNamespace(
        name=name, thread=0, task=asyncio.current_task(), code=None, look=SimpleNamespace(of=name))
    await to_thread.run_sync(stands)
    await asyncio.Event().wait()

async def until(wanted):
    while not wanted():
        await asyncio.sleep(0.001)

async def main():
    tasks = [asyncio.create_task(request("one"))]
    await until(begun.is_set)
    print(seen(), shown(attempts["one"]))
    go.set()
    await until(lambda: not seen())
    print(seen(), shown(attempts["one"]))
    for end_first in (False, True):
        begun.clear(), go.clear()
        if end_first:
            attempts.clear()
        name = "three" if end_first else "two"
        tasks.append(asyncio.create_task(request(name)))
        await until(begun.is_set)
        print(seen(), [shown(one) for one in attempts.values()], len(carrier.threads))
        go.set()
        await until(lambda: not seen())
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""


def test_a_thread_that_one_request_starts_and_others_use_is_of_who_uses_it() -> None:
    # When AnyIO's thread, which the first request has started, serves it, waits, serves a second one,
    # and then a third one whose forerunners are over
    done = subprocess.run(
        [sys.executable, "-c", ANYIO], capture_output=True, text=True, check=True, timeout=60
    )

    # I expect its stack to be of the one that it serves, and of nobody while it waits
    assert done.stdout.splitlines() == [
        "[('one', True)] True",
        "[] False",
        "[('two', True)] [False, True] 1",
        "[('three', True)] [True] 1",
    ]


THREAD_POOL = """
import threading, traceback
from contextvars import ContextVar, copy_context
from multiprocessing.pool import ThreadPool
from relive_runtime.worker.beside.carrying import Carrier
from relive_tracer.record import InvocationState

ours = ContextVar("ours")
carrier = Carrier(lambda: ours.get(None), [ours])
carrier.install()
one, two = (InvocationState(name, "", "", 0) for name in ("one", "two"))

def whose(_number=0):
    state = ours.get(None)
    running = carrier.threads.get(threading.get_ident())
    return (state and state.invocation_id) if running is state else "unclear"

def fails():
    raise KeyError("x")

def make(state):
    ours.set(state)
    return ThreadPool(1)

def run(state):
    ours.set(state)
    told, heard = [], threading.Event()
    pool.apply_async(whose, callback=lambda found: (told.append((found, whose())), heard.set()))
    heard.wait()
    return [pool.apply(whose), *pool.map(whose, range(2)), *pool.imap(whose, range(2)), *told]

pool = copy_context().run(make, one)
print(copy_context().run(run, two))
print(copy_context().run(run, one))
print(pool.apply(whose))
try:
    copy_context().run(lambda: (ours.set(two), pool.apply(fails)))
except KeyError as error:
    print([frame.name for frame in traceback.extract_tb(error.__traceback__)][-2:])
pool.close()
pool.join()
print(carrier.threads)
"""


def test_a_thread_pool_that_one_request_has_made_runs_each_task_for_who_gave_it() -> None:
    # When two requests in turn, and then nobody, use the pool of multiprocessing that the first one has made
    done = subprocess.run(
        [sys.executable, "-c", THREAD_POOL], capture_output=True, text=True, check=True, timeout=60
    )

    # I expect each task and callback to be of its own request, and tracebacks to be as ever
    assert done.stdout.splitlines() == [
        "['two', 'two', 'two', 'two', 'two', ('two', 'two')]",
        "['one', 'one', 'one', 'one', 'one', ('one', 'one')]",
        "None",
        "['worker', 'fails']",
        "{}",
    ]


POOLS = """
from contextvars import ContextVar, copy_context
from multiprocessing.pool import ThreadPool
from relive_runtime.worker.beside.carrying import Carrier
from relive_tracer.record import InvocationState

ours = ContextVar("ours")
carrier = Carrier(lambda: ours.get(None), [ours])
carrier.install()
one, two = (InvocationState(name, "", "", 0) for name in ("one", "two"))
found = []

def whose(*_):
    state = ours.get(None)
    found.append(state and state.invocation_id)

def run(state):
    ours.set(state)
    for give in (
        lambda: pool.apply_async(int, (), {}, whose),
        lambda: pool.map_async(int, "12", None, whose),
        lambda: pool.starmap_async(pow, [(1, 2)], None, whose),
        lambda: pool.map_async(int, "x", None, None, whose),
    ):
        give().wait()

with ThreadPool(1) as pool:
    for state in (one, two):
        copy_context().run(run, state)
        print(*found)
        found.clear()
"""


def test_callbacks_of_a_thread_pool_belong_to_who_gave_the_call() -> None:
    # When two requests in turn use a pool with callbacks of each kind
    done = subprocess.run([sys.executable, "-c", POOLS], capture_output=True, text=True, check=True)

    # I expect each callback to be of its own request
    assert done.stdout.splitlines() == ["one one one one", "two two two two"]
