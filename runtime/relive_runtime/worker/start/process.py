"""From a fork of the zygote to a process of its own: session, descriptors, environment, signals."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import sys
import time
import types
from typing import Final

from relive_base.wire.messages import FunctionSpec
from relive_profiler.record import COST_FILES

from relive_runtime.isolation.limits import FRAME_FD_FLOOR
from relive_runtime.isolation.syscalls import adopt_orphans, close_all_but
from relive_runtime.worker.start.lambda_variables import lambda_variables
from relive_runtime.worker.start.layers import add_layers, layer_variables
from relive_runtime.zygote.options import WorkerStart

__all__ = [
    "clean_environment",
    "close_others",
    "console_descriptor",
    "enter_source",
    "high_descriptor",
    "take_over",
]

_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


def take_over(start: WorkerStart) -> socket.socket:
    """Own session, only the worker's own descriptors, default signals. The frame socket, on a high
    descriptor."""
    os.setsid()
    adopt_orphans()  # what its children leave behind stays below it: it is counted, and ends with it
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    frames = high_descriptor(start.frame_fd)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(start.console_fd, 1)
    os.dup2(start.console_fd, 2)
    return socket.socket(fileno=frames)


def console_descriptor() -> int:
    """The console once more, on a high descriptor, without blocking: for marks in it. -1 if it cannot be
    had."""
    with contextlib.suppress(OSError):
        found = os.open("/proc/self/fd/1", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        high = high_descriptor(found)
        if high != found:
            os.close(found)
        return high
    return -1


def close_others(*own: int) -> None:
    """Close what was inherited from the zygote; its prepared descriptors have been used by now."""
    close_all_but({fd for fd in own if fd >= 0})


def high_descriptor(fd: int) -> int:
    """`fd` where the user's code is unlikely to close it by accident; as it is if the limit is too low."""
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        room = 2 * FRAME_FD_FLOOR if hard == resource.RLIM_INFINITY else min(2 * FRAME_FD_FLOOR, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FRAME_FD_FLOOR)
    os.set_inheritable(fd, False)
    return fd


def cost_descriptors() -> list[int]:
    """Where the process is told what it is charged, opened before it is confined; -1: it is not there."""
    found = []
    for path in COST_FILES:
        try:
            low = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            found.append(-1)
            continue
        high = high_descriptor(low)
        if high != low:
            os.close(low)
        found.append(high)
    return found


def clean_environment(spec: FunctionSpec, temporary: str, stream: str) -> None:
    """The function's own variables, and the few that programs expect. Nothing of the server's. `temporary`:
    the folder for files that go with the worker. `stream`: its log stream's name."""
    time_zone = os.environ.get("TZ")
    home = spec.scratch or "/"
    wanted = {
        "PATH": os.environ.get("PATH", _DEFAULT_PATH),
        "LANG": "C.UTF-8",
        "HOME": home,
        "TMPDIR": temporary or "/",
        "PYTHONUNBUFFERED": "1",
        "RELIVE_FUNCTION": spec.name,
        **lambda_variables(spec, stream),
        **layer_variables(spec.source, os.environ.get("PATH", _DEFAULT_PATH)),
        **spec.environment,
    }
    os.environ.clear()
    os.environ.update(wanted)
    if wanted.get("TZ") != time_zone:
        time.tzset()
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None  # type: ignore[attr-defined]  # found again, from TMPDIR


def enter_source(spec: FunctionSpec) -> list[str]:
    """The source folder first on sys.path and as the working folder; a `__main__` that is not the
    zygote's. Gives the folders of its layers on sys.path."""
    os.chdir(spec.source)
    sys.path.insert(0, spec.source)
    sys.path_importer_cache.pop(spec.source, None)
    layers = add_layers(spec.source)
    sys.argv = [os.path.join(spec.source, spec.handler.partition(":")[0])]
    main = types.ModuleType("__main__")
    main.__builtins__ = sys.modules["builtins"]  # type: ignore[attr-defined]
    sys.modules["__main__"] = main
    sys.dont_write_bytecode = True  # the source of a version never changes
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:  # each worker draws other numbers; `random` reseeds itself after a fork
        numpy_random.seed()
    return layers
