"""What code may leave behind in the interpreter and the process: all of it, to be compared."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import locale
import os
import random
import resource
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.request
from typing import Any

__all__ = ["interpreter_state"]

_INTERVAL_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_RESOURCES = (resource.RLIMIT_DATA, resource.RLIMIT_CORE, resource.RLIMIT_CPU)


def interpreter_state() -> dict[str, Any]:
    """By name. Every value can be compared."""
    umask = os.umask(0o022)
    os.umask(umask)
    return {
        "signal handlers": {number: signal.getsignal(number) for number in sorted(signal.valid_signals())},
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "interval timers": [signal.getitimer(number) for number in _INTERVAL_TIMERS],
        "wake-up descriptor": _wakeup_fd(),
        "POSIX timers": _posix_timers(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "trace and profile": (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()),
        "monitoring": [sys.monitoring.get_tool(n) for n in range(6)] if sys.version_info >= (3, 12) else None,
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.breakpointhook),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "fault handler": faulthandler.is_enabled(),
        "collector": (gc.isenabled(), gc.get_freeze_count(), gc.get_threshold(), list(gc.callbacks)),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()),
        "resources": [resource.getrlimit(number) for number in _RESOURCES],
        "folder and umask": (os.getcwd(), umask),
        "environment": dict(os.environ),
        "locale": locale.setlocale(locale.LC_ALL),
        "time zone": time.tzname,
        "import": (list(sys.path), list(sys.meta_path), list(sys.path_hooks)),
        "event loop policy": type(asyncio.get_event_loop_policy()),
        "network": (
            socket.socket.connect, socket.socket.connect_ex, socket.socket.listen, socket.socket.sendto,
            socket.create_connection, socket.getaddrinfo, socket.gethostbyname, ssl.SSLContext.wrap_socket,
            urllib.request.urlopen,
        ),
        "clocks and chance": (time.time, time.monotonic, os.urandom, random.random, random.getstate()),
        "descriptors": sorted(_descriptors()),
    }  # fmt: skip


def _wakeup_fd() -> int:
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    return before


def _posix_timers() -> str:
    try:
        with open("/proc/self/timers") as file:
            return file.read()
    except OSError:
        return ""


def _descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue  # that of the listing itself
    return found
