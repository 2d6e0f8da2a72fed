"""The zygote's loop: fork when asked, reap, tell the server; leave with the server."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import time
from types import FrameType
from typing import Final

from relive_base.wire.messages import AnyFrame, Exited, Fork, Forked, Stop, ZygoteReady

from relive_runtime.isolation import Isolation, prepare
from relive_runtime.isolation.family import Family
from relive_runtime.isolation.slots import SlotPool
from relive_runtime.isolation.syscalls import adopt_orphans, die_with_parent
from relive_runtime.worker.failures.interpreter import Interpreter
from relive_runtime.worker.start.namesakes import give_way
from relive_runtime.zygote.control import ControlSocket, ServerGone
from relive_runtime.zygote.lean import end
from relive_runtime.zygote.options import WorkerStart, ZygoteOptions
from relive_runtime.zygote.paths import dependencies_first
from relive_runtime.zygote.preload import import_modules, preload_record_side

__all__ = ["Zygote", "serve"]

_KIB: Final = 1024
_END_S: Final = 2.0
_LOOK_S: Final = 0.005
_FDS_NEEDED: Final = 2


def serve(control_fd: int, options: ZygoteOptions) -> WorkerStart | None:
    """Preload and serve. None in the zygote, once it is to leave; in a forked child, what the child is to
    be."""
    die_with_parent()
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; it tells us what to do
    os.set_inheritable(control_fd, False)
    control = ControlSocket(control_fd)
    began_ns = time.monotonic_ns()
    preload_record_side()
    end()
    dependencies_first(options.folders, options.runtime_dir)
    for folder in options.folders:
        give_way(folder, [options.runtime_dir])
    failed = import_modules(options.preload)
    if options.misfit:
        failed["relive"] = f"a package of the function does not fit, Relive's own is used: {options.misfit}"
    import_ns = time.monotonic_ns() - began_ns
    isolation = prepare(
        options.runtime_dir, options.deps_dir, options.confined, options.no_family, options.no_users
    )
    ready = ZygoteReady(
        pid=os.getpid(),
        python=".".join(map(str, sys.version_info[:3])),
        import_ns=import_ns,
        failed_imports=failed,
        uid=os.geteuid(),
        own_users=not isolation.no_users,
    )
    # From here on the closed socket tells; there is time to end the workers, of which a stopped one cannot.
    die_with_parent(wanted=False)
    zygote = Zygote(control, isolation, options.runtime_dir, options.family)
    # What is there now lives as long as the zygote: no collection in a worker may touch, and so copy, its
    # pages.
    gc.collect()
    gc.freeze()
    return zygote.run(ready)


class Zygote:
    """Single-threaded. Children that died are noticed by SIGCHLD through a pipe, never by waiting."""

    def __init__(
        self, control: ControlSocket, isolation: Isolation, runtime_dir: str, family: Family | None
    ) -> None:
        self._control = control
        self._runtime_dir = runtime_dir
        self._family = family
        self._isolation = isolation
        # Here: to copy what is loaded touches, and so copies, hundreds of pages, a tenth of a cold start.
        self._interpreter = Interpreter()
        self._workers: dict[int, tuple[int, int]] = {}  # pid -> worker id, pid as the server knows it
        self._slots = SlotPool(isolation.slots)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, ready: ZygoteReady) -> WorkerStart | None:
        """Until Stop or until the server is gone (then the workers are killed, too)."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake_up)
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        try:
            self._control.send(ready)
            while True:
                readable = {fd for fd, _events in poll.poll()}
                if self._wake_read in readable:
                    self._reap()
                if self._control.fileno() in readable:
                    for frame, fds in self._control.receive():
                        if isinstance(frame, Stop):
                            return None
                        start = self._obey(frame, fds)
                        if start is not None:
                            return start
        except ServerGone:
            self._kill_workers()
            return None

    def _obey(self, frame: AnyFrame, fds: tuple[int, ...]) -> WorkerStart | None:
        if not isinstance(frame, Fork):
            return None
        if len(fds) < _FDS_NEEDED:
            error = "the descriptors did not come with the Fork frame"
            self._control.send(Forked(worker_id=frame.worker_id, pid=0, error=error))
            return None
        return self._fork(frame, fds)

    def _fork(self, frame: Fork, fds: tuple[int, ...]) -> WorkerStart | None:
        slot = self._slots.take()
        forked_ns = time.time_ns()
        try:
            pid = os.fork()
        except OSError as error:
            pid = -1
            reason = f"fork failed: {error.strerror}"
        if pid == 0:
            return WorkerStart(
                worker_id=frame.worker_id,
                spec=frame.spec,
                frame_fd=fds[0],
                console_fd=fds[1],
                started_ns=time.time_ns(),
                isolation=self._isolation.with_slot(slot),
                interpreter=self._interpreter,
                fault_fd=fds[_FDS_NEEDED] if len(fds) > _FDS_NEEDED else -1,
                ring_fd=fds[_FDS_NEEDED + 1] if len(fds) > _FDS_NEEDED + 1 else -1,
                hash_seed=_hash_seed(),
                runtime_dir=self._runtime_dir,
                pid=os.getpid() if self._family is None else self._family.own_pid(),
            )
        for fd in fds:
            os.close(fd)
        self._slots.taken(slot, pid, 0 if self._isolation.no_users else frame.spec.uid)
        if pid >= 0:
            try:
                known = pid if self._family is None else self._family.pid_of(pid)
            except (OSError, ValueError) as error:
                _kill(pid)
                pid, reason = -1, f"the worker's process could not be found: {error}"
        if pid < 0:
            self._control.send(Forked(worker_id=frame.worker_id, pid=0, error=reason))
            return None
        self._workers[pid] = frame.worker_id, known
        self._control.send(Forked(worker_id=frame.worker_id, pid=known, forked_ns=forked_ns))
        return None

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker_id, known = self._workers.pop(pid, (None, 0))
            if worker_id is not None:
                _kill_group(pid)  # what the user's code had started and left behind
            self._kill_orphans()
            self._slots.free(pid)
            if worker_id is None:
                continue
            self._control.send(
                Exited(
                    worker_id=worker_id,
                    pid=known,
                    status=status,
                    peak_rss_bytes=usage.ru_maxrss * _KIB,
                    cpu_ns=int((usage.ru_utime + usage.ru_stime) * 1e9),
                )
            )

    def _kill_orphans(self) -> None:
        """End what workers that are gone had started: a worker that lives adopts its own, so that any child
        of this process which is no worker has been left behind by one."""
        for pid in _children():
            if pid not in self._workers and not self._slots.owns(pid):
                _kill(pid)

    def _kill_workers(self) -> None:
        """And what they have started, in whatever session: it becomes a child of this process."""
        for pid in self._workers:
            _kill_group(pid)
            _kill(pid)  # it had not got its own group yet
        end = time.monotonic() + _END_S
        while time.monotonic() < end:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            for pid in _children():
                _kill(pid)
            select.select([], [], [], _LOOK_S)


def _hash_seed() -> int:
    text = os.environ.get("PYTHONHASHSEED", "")
    return int(text) if text.isdecimal() else 0


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    return [int(word) for word in _read(f"/proc/self/task/{os.getpid()}/children").split()]


def _read(path: str) -> bytes:
    """Empty if there is no such process, or no such file on this system."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """SIGCHLD needs a Python handler so that the wakeup descriptor is written."""
