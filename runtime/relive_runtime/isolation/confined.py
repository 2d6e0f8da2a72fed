"""Running a command of somebody else's in the sandbox: `python -I -m relive_runtime.isolation.confined`.

The build of a package, and the first import of a handler, run code that nobody has looked at. This process
starts it, waits for it, and ends what it leaves behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any, Final

from relive_runtime.isolation import landlock, seccomp
from relive_runtime.isolation.paths import DEVICES, system_paths
from relive_runtime.isolation.read_only import own_view
from relive_runtime.isolation.syscalls import adopt_orphans, drop_capabilities, no_new_privileges

__all__ = ["confined", "main"]

_NOT_STARTED: Final = 127
_BY_SIGNAL: Final = 128


def confined(
    command: Sequence[str],
    *,
    home: str,
    read: Iterable[str] = (),
    write: Iterable[str] = (),
    copies: Mapping[str, str] | None = None,
) -> list[str]:
    """The command line that runs `command` in the sandbox.

    It may read the system, the interpreter and `read`, write below `write` alone, and use the network;
    nothing below `home`, Relive's, but what `read` and `write` name there. In the folders that are the keys
    of `copies` it sees, and writes, the copies that the values name; if it cannot have mounts of its own,
    the folders themselves. SIGTERM ends all of it.
    """
    options = {"home": home, "read": list(read), "write": list(write), "copies": dict(copies or {})}
    return [
        sys.executable, "-I", "-m", "relive_runtime.isolation.confined", json.dumps(options), *command
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run it, and end as it has ended. What cannot be had of the sandbox is said on stderr."""
    options, command = json.loads(arguments[0]), arguments[1:]
    adopt_orphans()
    child = os.fork()
    if not child:
        _become(options, command)

    def end(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    _, status = os.waitpid(child, 0)
    _end_rest()
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return _BY_SIGNAL - code


def _become(options: dict[str, Any], command: list[str]) -> None:
    """Take the rights away, then run `command` instead of this. Does not return."""
    try:
        for problem in _confine(str(options["home"]), options["read"], options["write"], options["copies"]):
            os.write(2, f"note: this is not kept apart: {problem}\n".encode())
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]} cannot be started in the sandbox: {error.strerror}\n".encode())
    finally:
        os._exit(_NOT_STARTED)


def _confine(home: str, read: list[str], write: list[str], copies: dict[str, str]) -> list[str]:
    """What could not be had, in words."""
    abi = landlock.abi_version()
    missing: list[str] = []
    with contextlib.suppress(OSError):  # `gaps` tells if it cannot be had
        own_view(write, copies)
    no_new_privileges()
    drop_capabilities()
    if abi:
        wanted = [(path, landlock.READ) for path in [*system_paths(home), *read]]
        wanted += [(path, landlock.DEVICE) for path in DEVICES]
        wanted += [(path, landlock.READ_WRITE) for path in [*write, *copies]]
        opened = [(landlock.open_path(path), rights) for path, rights in wanted]
        landlock.restrict([(*found, rights) for found, rights in opened if found], abi)
    else:
        missing.append("the kernel has no Landlock")
    if seccomp.available():
        seccomp.install(seccomp.assemble(seccomp.machine(), unix_sockets=False))
    else:
        missing.append(f"no seccomp filter for this kernel or machine ({seccomp.machine()})")
    return missing


def _end_rest() -> None:
    """Whatever the command has left running is our child by now, at the latest when its parent ends."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _children() -> list[int]:
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(word) for word in file.read().split()]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
