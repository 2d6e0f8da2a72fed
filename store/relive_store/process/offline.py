"""Reading a home whose server does not run: a store process that leaves when nobody reads any more.

A server that starts asks it to leave at once (`dismiss`), because a directory has one owner.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from relive_store.errors import StoreUnavailable
from relive_store.process.child import ending, last_words, store_environment
from relive_store.process.client import UnixStore

__all__ = ["dismiss", "open_offline"]

_START_LIMIT_S: Final = 300.0
_LEAVE_LIMIT_S: Final = 15.0
_POLL_S: Final = 0.02
_PEER_CREDENTIALS = struct.Struct("3i")


def open_offline(directory: Path, socket_path: Path, *, idle_exit_s: float = 60.0) -> UnixStore:
    """A store on `directory` through its reader process, which is started if none runs.

    Raises StoreUnavailable if it does not start; the end of its log says why.
    """
    store = UnixStore(socket_path)
    if _answers(store):
        return store
    socket_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(socket_path.with_suffix(".lock")):
        if not _answers(store):
            _start(store, directory, socket_path, idle_exit_s)
    store.migrate()
    return store


def dismiss(socket_path: Path) -> None:
    """Have the reader process behind `socket_path` leave, and wait for it. Does nothing if none runs."""
    pid = _peer(socket_path)
    if not pid:
        return
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    give_up = time.monotonic() + _LEAVE_LIMIT_S
    while _peer(socket_path) == pid or _runs(pid):
        if time.monotonic() > give_up:
            raise StoreUnavailable(
                f"process {pid} reads this store and does not leave",
                where=str(socket_path),
                hint=f"kill {pid}",
            )
        time.sleep(_POLL_S)


def _runs(pid: int) -> bool:
    """Whether a process still holds anything; one that only its parent has not asked after holds nothing."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] not in (["Z"], ["X"])


def _start(store: UnixStore, directory: Path, socket_path: Path, idle_exit_s: float) -> None:
    log = socket_path.with_suffix(".log")
    command = [sys.executable, "-m", "relive_store", "--path", str(directory), "--socket", str(socket_path)]
    with log.open("ab") as output:
        start = output.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            [*command, "--idle-exit", f"{idle_exit_s:g}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=store_environment(),
        )
    give_up = time.monotonic() + _START_LIMIT_S
    while not _answers(store):
        if process.poll() is not None or time.monotonic() > give_up:
            late = process.poll() is None
            process.kill()
            process.wait()
            how = f"was not ready within {_START_LIMIT_S:g} s" if late else ending(process.returncode)
            said, _, hint = last_words(log, start).partition("\n  hint: ")
            raise StoreUnavailable(
                f"the recorded data cannot be opened: its process {how}: {said}",
                where=str(directory),
                hint=hint or f"its output is in {log}",
            )
        time.sleep(_POLL_S)


def _answers(store: UnixStore) -> bool:
    try:
        store.ping(1.0)
    except StoreUnavailable:
        return False
    return True


def _peer(socket_path: Path) -> int:
    """The process that listens on a unix socket; 0 if none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(socket_path))
            found = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        except OSError:
            return 0
    return int(_PEER_CREDENTIALS.unpack(found)[0])


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One starter at a time."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
