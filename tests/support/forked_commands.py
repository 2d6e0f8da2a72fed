"""Runs `relive` commands in forks of a process that has imported what they need.

Each is a process of its own and ends like one; what it saves is the imports, which are most of the time that
a short command takes. The first command of each name is started as a user starts it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, NoReturn

__all__ = ["ForkedCommands"]

_PACKAGES = (
    "relive",
    "relive_views",
    "relive_capture.explore",
    "relive_profiler.explore",
    "relive_tracer.explore",
)
_MODULES = (
    "difflib", "encodings.ascii", "encodings.cp437", "grpc._channel", "grpc._interceptor",
    "grpc.experimental", "mmap", "relive_platform.api.client", "relive_platform.replay",
    "relive_platform.server.reading", "relive_store", "rich.progress", "rich.table",
)  # fmt: skip
"""What commands import when they need it. What is missing here costs time, no more."""
NAMES = frozenset(
    [
        "debug",
        "deploy",
        "events",
        "export",
        "failure",
        "failures",
        "flame",
        "functions",
        "heap",
        "hot",
        "invocations",
        "invoke",
        "logs",
        "replay",
        "scene",
        "serve",
        "sql",
        "status",
        "stop",
        "trace",
    ]
)
"""Those that tests run often; none of them stays, if `serve` has --daemon."""


class ForkedCommands:
    """One process to fork from, started when it is first needed."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._wire: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def takes(self, arguments: list[str], environment: dict[str, str]) -> bool:
        """Whether a command can be run here; `environment` is what it has beside the test's own."""
        name = next((word for word in arguments if word in NAMES), "")
        first, known = name not in self._seen, bool(name)
        self._seen.add(name)
        if name == "serve" and "--daemon" not in arguments:
            return False
        return known and not first and all(key.startswith(("RELIVE_", "OTEL_")) for key in environment)

    def run(
        self, arguments: list[str], stdin: str, environment: dict[str, str], limit_s: float
    ) -> subprocess.CompletedProcess[str]:
        """As subprocess.run does; raises TimeoutExpired."""
        wire = self._started()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # its answers stay apart
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile("w+", newline="")) for _ in range(3)]
            files[0].write(stdin)
            files[0].seek(0)
            asked = json.dumps([arguments, environment]).encode()
            with theirs:
                socket.send_fds(wire, [asked], [theirs.fileno(), *(file.fileno() for file in files)])
            with ours:
                pid = int(ours.recv(32))
                ours.settimeout(limit_s)
                try:
                    status = int(ours.recv(32))
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(arguments, limit_s, *map(_text, files[1:])) from None
            return subprocess.CompletedProcess(arguments, status, *map(_text, files[1:]))

    def _started(self) -> socket.socket:
        if self._wire is None:
            self._wire, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd="/"
            )
            theirs.close()
            self._process = process
            atexit.register(self.close)
        return self._wire

    def close(self) -> None:
        """End the process to fork from."""
        if self._wire is not None and self._process is not None:
            self._wire.close()
            self._process.wait()
            self._wire = None


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read().replace("\r\n", "\n")


# ---------------------------------------------------------------- the process to fork from


def _serve(wire: socket.socket) -> None:
    """Returns in the process of a command, ready for it; and at the end, without one."""
    _import()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(wire, 1 << 20, 4)
        if not asked:
            os._exit(0)
        if not os.fork():
            wire.close()
            _mind(socket.socket(fileno=descriptors[0]), descriptors[1:], *json.loads(asked))
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _import() -> None:
    names = [*_MODULES, *_PACKAGES]
    for package in map(importlib.import_module, _PACKAGES):
        names += [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _mind(
    answer: socket.socket, descriptors: list[int], arguments: list[str], environment: dict[str, str]
) -> None:
    """Fork once more and tell how that ended: who asks is not its parent."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        answer.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        answer.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    answer.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(Path(sys.modules["relive"].__path__[0]) / "__main__.py"), *arguments]


def _main() -> NoReturn:
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from relive.__main__ import main

    main()
    raise AssertionError


if __name__ == "__main__":
    _main()
