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


def test_it_is_known_whose_they_are_and_the_users_variables_stay_apart() -> None:
    # When two requests in turn, and then nobody, use a pool with one thread, and threads
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)

    # I expect each call to be of its own request, without the variables that the user has set there
    whose = [f"('{name}', 'unset', True)" for name in ("one", "two")]
    nobody = "(None, 'unset', True)"
    assert done.stdout.splitlines() == [*(f"({one}, {one})" for one in whose), f"{nobody} {nobody} {{}}"]
