"""The user's own process: how it is started, what it finds in its environment, and its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError
from relive_base.wire.messages import FunctionSpec

from relive_runtime.custom.api.peers import descendants

__all__ = ["BOOTSTRAP", "ENDING_SIGNAL", "Program", "ProgramError", "command_of", "describe_end", "kill_all"]

BOOTSTRAP: Final = "./bootstrap"
_NODE_BOOTSTRAP: Final = Path(__file__).parent / "node" / "bootstrap.mjs"
ENDING_SIGNAL: Final = signal.SIGABRT
"""Go and Python's fault handler print their stacks at it, and end; others just end."""
_ROUNDS: Final = 20
_NODE_HEAP_SHARE: Final = 0.75
"""Of `memory_mb` for V8's heap: it then says itself that it is out of memory, with a stack."""


class ProgramError(ReliveError):
    """The program cannot be started."""

    __module__ = "builtins"  # users read its bare name


def command_of(spec: FunctionSpec) -> list[str]:
    """What is run. Raises ProgramError."""
    if spec.runtime == "nodejs":
        node = shutil.which("node", path=os.environ.get("PATH"))
        if node is None:
            raise ProgramError(
                "node is not installed, or not on the server's PATH",
                where=spec.name,
                hint="install Node.js 18 or newer, or start the server with node on its PATH",
            )
        heap_mb = max(int(spec.memory_mb * _NODE_HEAP_SHARE), 16)
        return [
            node,
            f"--max-old-space-size={heap_mb}",
            "--inspect-port=127.0.0.1:0",  # nothing listens there until it is asked to: see inspector.py
            "--inspect-publish-uid=stderr",
            str(_NODE_BOOTSTRAP),
        ]
    return list(spec.command) or [BOOTSTRAP]


class Program:
    """One run of it. Its output goes to pipes of this process."""

    def __init__(
        self, spec: FunctionSpec, environment: Mapping[str, str], stdout: int, stderr: int, records: int
    ) -> None:
        """Start it. Raises ProgramError."""
        command = command_of(spec)
        name = command[0]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=spec.source,
                env={**environment, "_LAMBDA_TELEMETRY_LOG_FD": str(records)},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(records,),
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ProgramError(
                f"{name} cannot be started: {why}", where=spec.name, hint=_hint(spec, name)
            ) from error
        self.pid = self._process.pid
        self.started_ns = time.time_ns()
        self.status: int | None = None
        """As os.waitpid has it, once it has ended."""
        self.peak_bytes = 0

    def reaped(self, status: int, peak_bytes: int) -> None:
        """It has ended, and this process has waited for it."""
        self.status, self.peak_bytes = status, peak_bytes
        self._process.returncode = os.waitstatus_to_exitcode(status)

    def send(self, number: int) -> None:
        """A signal; ignored if it has ended."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)


def kill_all() -> None:
    """End the program with all that it has started, also what has left its parents."""
    own = os.getpid()
    for _ in range(_ROUNDS):
        found = descendants(own)
        if not found:
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):  # what stands starts no others meanwhile
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if all(_has_ended(pid) for pid in descendants(own)):
            return


def _has_ended(pid: int) -> bool:
    """Whether it waits to be reaped, or is told to end and cannot start anything more."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(1_024).rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return True


def describe_end(status: int) -> tuple[str, str]:
    """(kind of failure, how it ended) as AWS Lambda says it."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"SIG{number}"
        return "signal", f"signal {number} ({name})"
    return "exit", f"exit status {os.waitstatus_to_exitcode(status)}"


def _hint(spec: FunctionSpec, name: str) -> str:
    path = Path(spec.source, name)
    if "/" in name and path.is_file() and not os.access(path, os.X_OK):
        return f"make it executable: chmod +x {name}"
    if "/" in name and path.is_file():
        return "is the interpreter of its first line installed, and was it built for this machine?"
    return f"put {name} into the function's folder, or correct `command`"
