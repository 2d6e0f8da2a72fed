"""The end of a process of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO

PROGRAM = """
import atexit, concurrent.futures, sys, tempfile, threading, time
from relive_base.ending import end_process

class Held:
    def __del__(self):
        print("taken apart")

held = Held()
folder = tempfile.TemporaryDirectory()
atexit.register(lambda: print("atexit", __import__("os").path.exists(folder.name)))
thread = threading.Thread(target=lambda: (time.sleep(0.2), print("thread")))
thread.start()
pool = concurrent.futures.ThreadPoolExecutor(1)
pool.submit(lambda: (time.sleep(0.2), print("pool")))
print("said", end=" ")
print("told", end="", file=sys.stderr)
end_process(7)
"""


def ended(program: str, output: int | IO[str] = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Its output has a buffer, whatever the environment of the tests says."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-c", program], stdout=output, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_it_is_as_ever_but_that_nothing_is_taken_apart() -> None:
    # Given a process with threads, handlers and text that is not out yet
    # When it ends, and when another one ends as ever
    done, as_ever = ended(PROGRAM), ended(PROGRAM.replace("end_process(7)", "sys.exit(7)"))
    # I expect the same
    assert done.returncode == as_ever.returncode == 7
    assert done.stderr == as_ever.stderr == "told"
    assert sorted(done.stdout.split()) == sorted(as_ever.stdout.replace("taken apart\n", "").split())
    assert {"said", "thread", "pool", "atexit"} <= set(done.stdout.split())


def test_what_cannot_be_printed_is_said_as_ever() -> None:
    # Given a disk that is full, and text that is written as the process ends
    program = 'from relive_base.ending import end_process\nimport sys\nprint("lost", end="")\nend_process(0)'
    with open("/dev/full", "w") as full:
        # When it ends, and when another one ends as ever
        done, as_ever = ended(program, full), ended(program.replace("end_process(", "sys.exit("), full)
    # I expect the same words, and a status that says so
    assert (done.returncode, done.stderr) == (as_ever.returncode, as_ever.stderr)
    assert done.returncode == 120
    assert "No space left" in done.stderr
