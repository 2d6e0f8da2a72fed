"""Running a function in a forked process, for failures that end the process."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn

from relive.testing.errors import FunctionDied

__all__ = ["run_apart"]

_GRACE_S: Final = 10.0
_MAX_BYTES: Final = 16 * 1_048_576
_MB: Final = 1_048_576
_MAX_CHARS: Final = 1_000_000
_DIED_HINT: Final = "run it under a debugger: relive replay ID --pdb"
_MISSING_HINT: Final = "install the function's requirements where the test runs"


def run_apart(run: Callable[[], Any], timeout_s: float, memory_mb: int) -> Any:
    """What `run` gives in a child, as far as it is JSON. Raises FunctionDied with the child's traceback, or
    with the way it ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(run, memory_mb, writing)
    os.close(writing)
    try:
        text = _read(reading, pid, timeout_s + _GRACE_S)
    finally:
        os.close(reading)
    status = os.waitpid(pid, 0)[1]
    if not text:
        raise FunctionDied(_ending(status, timeout_s), hint=_DIED_HINT)
    told = json.loads(text)
    if "error" in told:
        raise FunctionDied(
            f"the function failed: {told['error']}\n\n{told['traceback'].rstrip()}",
            hint=_MISSING_HINT if told["missing"] else "",
        )
    return told["result"]


def _child(run: Callable[[], Any], memory_mb: int, writing: int) -> NoReturn:
    told: dict[str, Any]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + memory_mb * _MB, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        told = {"result": run()}
    except BaseException as error:
        told = {
            "error": "".join(traceback.format_exception_only(error)).strip()[:_MAX_CHARS],
            "missing": isinstance(error, ImportError),
            "traceback": traceback.format_exc()[:_MAX_CHARS],
        }
    with contextlib.suppress(BaseException):
        data = json.dumps(told).encode()
        while data:
            data = data[os.write(writing, data) :]
    os._exit(0)


def _data_bytes() -> int:
    """What this process has of that kind by now: its pages besides the text."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[5]) * resource.getpagesize()


def _read(reading: int, pid: int, limit_s: float) -> bytes:
    """All that the child says; it is killed if it takes longer."""
    text = bytearray()
    while len(text) <= _MAX_BYTES:
        if not select.select([reading], [], [], limit_s)[0]:
            os.kill(pid, signal.SIGKILL)
            return b""
        data = os.read(reading, 65_536)
        if not data:
            break
        text += data
    return bytes(text)


def _ending(status: int, timeout_s: float) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name
        late = f" (it was still running after {timeout_s:g} s)" if number == signal.SIGKILL else ""
        return f"the function's process was ended by {name}{late}"
    return f"the function ended its process: os._exit({os.waitstatus_to_exitcode(status)})"
