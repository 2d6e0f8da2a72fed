"""Children that a handler forks by itself end as in plain Python, and leave their parent's wire alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from worker_harness import WorkerHandle, ZygoteHandle

# The part that runs in a child; each of them is run in plain Python, too.
WAYS = {
    "exception": "raise ValueError('part 3 is odd')",
    "own_exception": "raise type('Own', (Exception,), {'__module__': 'a.b'})('text')",
    "exit_number": "sys.exit(7)",
    "exit_none": "sys.exit()",
    "exit_text": "sys.exit('the reason')",
    "exit_large": "sys.exit(300)",
    "exit_huge": "sys.exit(10 ** 30)",
    "exit_negative": "sys.exit(-1)",
    "interrupt": "raise KeyboardInterrupt",
    "end": "print('the end')",
    "unfinished_line": "sys.stdout.write('no newline')",
    "unfinished_and_killed": "sys.stdout.write('no newline'); sys.stdout.flush(); os._exit(4)",
    "at_exit": "atexit.register(print, 'registered')",
    "at_exit_and_exception": "atexit.register(print, 'registered'); raise ValueError('x')",
    "thread": "threading.Timer(0.05, print, ['of a thread']).start()",
    "own_hook": "sys.excepthook = lambda kind, error, trace: print('hook', error); raise ValueError('x')",
    "broken_hook": "sys.excepthook = lambda *parts: 1 / 0; raise ValueError('x')",
    "logging": "logging.getLogger('a').warning('logged'); raise ValueError('x')",
    "grandchild": "pid = os.fork(); pid and sys.exit(40 + os.waitpid(pid, 0)[1] // 256); 1 / 0",
    "crash": "ctypes.string_at(0)",
}
CODE = """
import atexit, ctypes, logging, os, sys, threading

def work(how):
    exec(compile(WAYS[how], "<way>", "exec"), globals())

def handler(event, context):
    pid = os.fork()
    if pid == 0:
        work(event)
        return "of the child"
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
CODE = f"WAYS = {WAYS!r}\n{CODE}"
PLAIN = f"{CODE}\nresult = handler(sys.argv[1], None)\nif result != 'of the child': print('STATUS', result)"


@pytest.fixture(scope="module")
def worker(running: ZygoteHandle) -> WorkerHandle:
    return running.worker(CODE, timeout_s=60)


def _plain(how: str, folder: Path) -> tuple[int, str]:
    """Exit status of the child, and what it printed, in plain Python."""
    script = folder / "main.py"
    script.write_text(PLAIN)
    ran = subprocess.run(
        [sys.executable, "-u", str(script), how], capture_output=True, text=True, timeout=60, check=False
    )
    out, _, status = ran.stdout.rpartition("STATUS ")
    return int(status), out + ran.stderr


def _messages(text: str) -> list[str]:
    """What was printed, without the places that differ: frames of a traceback."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith(("  ", "Traceback"))]


@pytest.mark.parametrize("how", WAYS)
def test_a_child_ends_as_in_plain_python(worker: WorkerHandle, how: str, tmp_path: Path) -> None:
    # Given what plain Python does
    status, printed = _plain(how, tmp_path)
    if how == "exit_huge":
        printed = ""  # from 3.12 on the interpreter prints an OverflowError of its own that it has forgotten
    # When a child of a handler does the same
    outcome = worker.invoke(how)
    # I expect its status, what it printed, and an invocation that has nothing to do with it
    assert outcome.value == status
    assert sorted(_messages(worker.console())) == sorted(_messages(printed))
    assert (outcome.result.status, outcome.scene, outcome.lines) == ("ok", None, [])


def test_the_traceback_of_a_child_begins_in_the_users_code(worker: WorkerHandle) -> None:
    worker.invoke("exception")
    text = worker.console()
    assert text.startswith("Traceback (most recent call last):\n")
    assert "relive_runtime" not in text
    assert [line.split(", in ")[1] for line in text.splitlines() if ", in " in line] == [
        "handler",
        "work",
        "<module>",
    ]


MANY = """
import os, sys
def handler(event, context):
    sys.stdout.write("parent's ")
    children = []
    for number in range(8):
        pid = os.fork()
        if pid == 0:
            for line in range(200):
                print("child", number, line)
            if number % 2:
                raise ValueError(number)
            return number
        children.append(pid)
    for line in range(200):
        print("line", line)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
"""


def test_many_children_leave_the_parents_lines_alone(running: ZygoteHandle) -> None:
    # Given a handler that prints while its children print, fail and return
    worker = running.worker(MANY, timeout_s=60)
    for _ in range(2):
        # When it is invoked
        outcome = worker.invoke({})
        # I expect its own lines on the wire, whole and in order, and each of the children's once beside it
        assert outcome.value == [0, 1] * 4
        expected: list[Any] = [f"line {line}" for line in range(200)]
        assert outcome.lines == ["parent's line 0", *expected[1:]]
        text = worker.console()
        assert sorted(line for line in text.splitlines() if line.startswith("child ")) == sorted(
            f"child {number} {line}" for number in range(8) for line in range(200)
        )
        assert text.count("Traceback") == 4


def test_a_child_that_is_forked_while_the_module_is_loaded_ends_too(running: ZygoteHandle) -> None:
    # Given modules whose children fail, or come to the module's end
    code = "import os\npid = os.fork()\nif pid == 0:\n    {}\nstatus = os.waitpid(pid, 0)[1]\n"
    code += "def handler(e, c):\n    return os.waitstatus_to_exitcode(status)"
    for how, status in (("raise ValueError('x')", 1), ("os.waitpid = lambda *a: (0, 0)", 0)):
        # I expect the child's status, and a worker that is fine
        worker = running.worker(code.format(how))
        assert worker.invoke({}).value == status


ASYNC = """
import asyncio, os
async def handler(event, context):
    await asyncio.sleep(0)
    pid = os.fork()
    if pid == 0:
        raise ValueError("in a coroutine")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def test_an_async_handlers_child_ends_too(running: ZygoteHandle) -> None:
    worker = running.worker(ASYNC)
    assert worker.invoke({}).value == 1
    assert "ValueError: in a coroutine" in worker.console()
    assert worker.invoke({}).value == 1


def test_a_crash_of_a_child_is_not_taken_for_one_of_the_worker(running: ZygoteHandle) -> None:
    # Given a worker whose child crashes in native code
    worker = running.worker(CODE, timeout_s=60)
    faults = Path(f"/proc/{worker.pid}/fd")
    held = [fd for fd in faults.iterdir() if "memfd:faults" in str(fd.readlink())]
    # When it has crashed
    assert worker.invoke("crash").value == -11
    # I expect the worker's own record of faults to be empty
    assert held, [str(fd.readlink()) for fd in faults.iterdir()]
    assert not held[0].read_bytes().strip(b"\0")
