"""The spaces that a zygote shares with its workers: process numbers, /proc, /dev, System V IPC.

A number space of its own for each worker would need a process more for each: the first one in it is its init,
for which the kernel ignores the signals that it sends to itself, and which inherits everybody's orphans. One
for a dependency set costs its workers nothing. What a worker sees of the others is nothing all the same:
/proc shows those that it might trace, which Landlock limits to itself and what it has started.
"""

from __future__ import annotations

import os
import signal
import stat
from typing import Final, NoReturn

from relive_runtime.isolation.mounts import (
    NEW_IPC,
    NEW_MOUNTS,
    NEW_PROCESSES,
    NO_DEVICES,
    NO_EXECUTE,
    NO_SUID,
    bind,
    make_private,
    mount,
    unshare,
)
from relive_runtime.isolation.paths import DEVICES
from relive_runtime.isolation.syscalls import close_all_but, die_with_parent, supported

__all__ = ["FAMILY_TIER", "Family", "enter_family", "probe_family", "spaces_for"]

_LINKS: Final = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}


class Family:
    """What a process that is in the spaces knows of the machine outside."""

    def __init__(self, outside: int) -> None:
        self._outside = outside  # a descriptor of the machine's own /proc
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        self.numbers = os.open("self/fdinfo", flags, dir_fd=outside)
        """Where the machine's numbers of processes are to be read, by this process alone."""

    def own_pid(self) -> int:
        """This process's number, as the machine has it."""
        return int(os.readlink("self", dir_fd=self._outside))

    def pid_of(self, child: int) -> int:
        """The machine's number of a child that has not been waited for. Raises OSError, ValueError."""
        handle = os.pidfd_open(child)
        try:
            told = os.open(str(handle), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.numbers)
            try:
                lines = os.read(told, 4_096).splitlines()
            finally:
                os.close(told)
        finally:
            os.close(handle)
        return int(next(line.split()[1] for line in lines if line.startswith(b"Pid:")))


FAMILY_TIER: Final = 2
"""From this one on the zygote and its workers have spaces of their own."""


def enter_family() -> Family:
    """Go on in spaces of its own, as a process that this one waits for. Raises OSError before anything has
    changed but the mounts, which nobody else sees.

    Of three processes, the first is what the server has started and can kill with its group; the second is
    the init, with which all others end; the third returns.
    """
    die_with_parent()
    outside = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    unshare(NEW_MOUNTS | NEW_IPC | NEW_PROCESSES)
    make_private()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    init = os.fork()
    if init:
        os.close(writing)
        said = os.read(reading, 100)
        if said != b"\1":
            os.waitpid(init, 0)
            raise OSError(int(said or b"5"), os.strerror(int(said or b"5")))
        close_all_but(set())
        _exit_as(init)
    die_with_parent()
    try:
        _mount_proc()
        _mount_devices()
    except OSError as error:
        os.write(writing, str(error.errno).encode())
        os._exit(1)
    os.write(writing, b"\1")
    os.close(writing)
    os.close(reading)
    main = os.fork()
    if main:
        close_all_but(set())
        _exit_as(main)
    return Family(outside)


def spaces_for(tier: int) -> tuple[Family | None, str]:
    """`enter_family` for a zygote whose workers may want `tier`; or why it stays where it is."""
    if tier < FAMILY_TIER:
        return None, "the zygote was started for a lower tier"
    reason = probe_family()
    return (None, reason) if reason else (enter_family(), "")


def probe_family() -> str:
    """Whether `enter_family` works on this machine: "", or why not. Tried in a process of its own."""
    if not supported():
        return "it needs Linux"
    reading, writing = os.pipe2(os.O_CLOEXEC)
    trial = os.fork()
    if not trial:
        child = 0
        try:
            family = enter_family()
            child = os.fork()
            if not child:
                signal.pause()  # until its init ends
            os.write(writing, b"\1" if family.pid_of(child) > child else b"process numbers are hidden")
        except (OSError, ValueError) as error:
            os.write(writing, str(error).encode())
        finally:
            os.kill(child, signal.SIGKILL) if child else None
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 200)
    os.close(reading)
    os.waitpid(trial, 0)
    return "" if said == b"\1" else said.decode(errors="replace") or "the attempt ended early"


def _exit_as(child: int) -> NoReturn:
    """Wait for `child`, then for all that it has left here, and end as it did."""
    code = 1
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            os._exit(code)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            code = code if code >= 0 else 128 - code


def _mount_proc() -> None:
    flags = NO_SUID | NO_DEVICES | NO_EXECUTE
    mount(b"proc", b"/proc", b"proc", flags, b"hidepid=ptraceable")


def _mount_devices() -> None:
    """The devices that a function may have, and the names that shells expect beside them."""
    opened = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in DEVICES if _is_device(path)]
    try:
        mount(b"tmpfs", b"/dev", b"tmpfs", NO_SUID | NO_EXECUTE, b"size=64k,mode=755")
        for path, descriptor in opened:
            bind(descriptor, path, may_write=True)
        for name, target in _LINKS.items():
            os.symlink(target, f"/dev/{name}")
    finally:
        for _path, descriptor in opened:
            os.close(descriptor)


def _is_device(path: str) -> bool:
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False
