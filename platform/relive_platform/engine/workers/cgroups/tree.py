"""The groups of one server in one hierarchy: `relive-PID-START-N` below the group that it is in, and in there
those of its zygotes and workers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Tree", "kernel_kills", "name_of"]

_NAME: Final = re.compile(r"(relive-([0-9]+)-[0-9]+)-[0-9]+")
_SERVER: Final = "server"
_ROUNDS: Final = 3
_START_FIELD: Final = 19  # of /proc/PID/stat behind the command's name


def name_of(pid: int) -> str:
    """How the names of the groups of the server `pid` begin: no other process has had that number and was
    started then. Raises OSError if there is none."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):
        raise ProcessLookupError(f"{pid} has ended")
    return f"relive-{pid}-{int(fields[_START_FIELD])}"


def _limit_files(version: int, memory_bytes: int, pids: int) -> dict[str, list[tuple[str, int, bool]]]:
    """Of each controller the files that say its limits, and whether a kernel may lack one."""
    if version == 1:
        memory = [
            ("memory.limit_in_bytes", memory_bytes, False),
            ("memory.memsw.limit_in_bytes", memory_bytes, True),
        ]
    else:
        memory = [("memory.max", memory_bytes, False), ("memory.swap.max", 0, True)]
    return {"memory": memory, "pids": [("pids.max", pids, False)]}


class Tree:
    """Blocks, for some milliseconds where a process is moved: not for an event loop."""

    def __init__(
        self,
        version: int,
        own: Path,
        controllers: Iterable[str],
        make: Callable[[Path], None] = os.mkdir,
        remove: Callable[[Path], None] = os.rmdir,
    ) -> None:
        """`own`: the group that this process is in. `make` and `remove` are of one folder."""
        self.version = version
        self.controllers = tuple(controllers)
        self._own = own
        self._top = own
        self._make = make
        self._remove = remove
        self._passed_on: list[str] = []  # controllers that the own group has not passed on before
        self.leftovers = False
        """Groups of servers that are gone still have processes."""

    def open(self) -> None:
        """Make the server's group, and remove those that servers which are gone have left. Raises OSError."""
        self.sweep()
        self._top = self._new_top()
        if self.version == 1:
            return
        before = _read(self._own / "cgroup.subtree_control").split()
        self._passed_on = [name for name in self.controllers if name not in before]
        if self._passed_on and (self._own / "cgroup.type").exists():
            # The kernel wants no processes in a group that passes controllers on.
            self._make_folder(self._top / _SERVER)
            _move_all(self._own, self._top / _SERVER)
        for group in (self._own, self._top):
            _write(group / "cgroup.subtree_control", " ".join(f"+{name}" for name in self.controllers))

    def make(self, name: str, memory_bytes: int, pids: int) -> Path:
        """A group with these limits. Raises OSError."""
        folder = self._top / name
        self._make_folder(folder)
        files = _limit_files(self.version, memory_bytes, pids)
        for controller in self.controllers:
            for file, value, optional in files[controller]:
                try:
                    _write(folder / file, str(value))
                except FileNotFoundError:
                    if not optional:
                        raise
        return folder

    def enter(self, folder: Path, pid: int) -> None:
        """Move a process there; one that has ended is no error. Raises OSError."""
        with suppress(ProcessLookupError):
            _write(folder / "cgroup.procs", str(pid))

    def remove(self, folder: Path) -> bool:
        """Whether it is gone; not while there is a process in it."""
        try:
            self._remove(folder)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True

    def sweep(self) -> None:
        """Remove what servers that are gone have left, where all that was in it has gone, too."""
        self.leftovers = False
        with suppress(OSError):
            for entry in list(os.scandir(self._own)):
                if _is_left(entry.name) and not self._remove_below(Path(entry.path)):
                    self.leftovers = True

    def close(self) -> bool:
        """Whether all of it is gone."""
        if self._top == self._own:
            return True
        server = self._top / _SERVER
        if self.version == 2:
            less = " ".join(f"-{name}" for name in self.controllers)
            with suppress(OSError):
                _write(self._top / "cgroup.subtree_control", less)
            if self._passed_on:
                with suppress(OSError):
                    _write(self._own / "cgroup.subtree_control", " ".join(f"-{n}" for n in self._passed_on))
            if server.exists():
                with suppress(OSError):
                    _move_all(server, self._own)
        return self._remove_below(self._top)

    def _remove_below(self, top: Path) -> bool:
        with suppress(OSError):
            for entry in list(os.scandir(top)):
                if entry.is_dir(follow_symlinks=False):
                    self.remove(Path(entry.path))
        return self.remove(top)

    def _new_top(self) -> Path:
        """A process may have more than one server, as in tests."""
        number = 1
        while True:
            top = self._own / f"{name_of(os.getpid())}-{number}"
            try:
                self._make(top)
            except FileExistsError:
                number += 1
            else:
                return top

    def _make_folder(self, folder: Path) -> None:
        with suppress(FileExistsError):
            self._make(folder)


def kernel_kills(version: int, folder: Path) -> int:
    """How many processes of a group the kernel has ended because the group had no memory left; 0 if it does
    not tell (before Linux 4.13)."""
    for line in _read(folder / ("memory.events" if version == 2 else "memory.oom_control")).splitlines():
        name, _, number = line.partition(" ")
        if name == "oom_kill":
            return int(number)
    return 0


def _move_all(source: Path, target: Path) -> None:
    """Until there is none, within limits: a process may start another one meanwhile. Raises OSError."""
    for _ in range(_ROUNDS):
        for pid in _read(source / "cgroup.procs").split():
            try:
                _write(target / "cgroup.procs", pid)
            except ProcessLookupError:
                continue


def _is_left(name: str) -> bool:
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    try:
        return name_of(int(found[2])) != found[1]
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
