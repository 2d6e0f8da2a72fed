"""Starting, watching and stopping the store process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from relive_base.environment import child_environment

from relive_store.errors import QueryTimeout, StoreRefused, StoreUnavailable
from relive_store.process.client import UnixStore

__all__ = ["StoreProcess", "ending", "last_words", "store_environment"]

_POLL_S = 0.02
_LOG_TAIL_BYTES = 2_000


class StoreProcess:
    """A child that owns `directory` and serves it on `socket_path`. It ends with its parent."""

    def __init__(
        self,
        directory: Path | str,
        socket_path: Path | str,
        *,
        log_path: Path | str | None = None,
        idle_exit_s: float = 0.0,
    ) -> None:
        self.directory = Path(directory)
        self.socket_path = Path(socket_path)
        self._log_path = Path(log_path) if log_path else None
        self._idle_exit_s = idle_exit_s
        self._log_start = 0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """0 if none was started."""
        return self._child.pid if self._child else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs; reaps it if it does not."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_status(self) -> int | None:
        """As subprocess has it: None while it runs or if it never did."""
        return self._child.poll() if self._child else None

    @property
    def url(self) -> str:
        """For open_store."""
        return f"unix://{self.socket_path}"

    def start(self, timeout_s: float = 300.0) -> None:
        """Start, and wait until it answers. Does nothing if it runs. Raises StoreUnavailable with the
        reason."""
        if self.alive:
            return
        self.launch()
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if time.monotonic() > deadline:
                self.kill()
                raise StoreUnavailable(
                    f"the store's process was not ready within {timeout_s:g} s: {self.said()}",
                    where=str(self.directory),
                )
            time.sleep(_POLL_S)

    def launch(self) -> None:
        """Start it, without waiting. Raises StoreUnavailable if there is no process to be had."""
        try:
            self._child = self._spawn()
        except OSError as error:
            raise StoreUnavailable(
                f"the store's process cannot be started: {error.strerror or error}",
                where=str(error.filename or self.directory),
            ) from error

    def answers(self) -> bool:
        """Whether it is ready. Raises StoreUnavailable with the reason if it has ended."""
        child = self._child
        if child is None or child.poll() is not None:
            how = ending(child.returncode) if child is not None else "was not started"
            raise StoreUnavailable(f"the store's process {how}: {self.said()}", where=str(self.directory))
        client = UnixStore(self.socket_path)
        try:
            return client.ping(1.0) == child.pid
        except (StoreUnavailable, StoreRefused, QueryTimeout):
            return False  # not listening yet, or its predecessor's socket is still there
        finally:
            client.close()

    def stop(self, timeout_s: float = 15.0) -> None:
        """SIGTERM, then SIGKILL after `timeout_s`. What was acknowledged is on disk either way."""
        if self._child is None:
            return
        if self.alive:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self._child is not None and self.alive:
            self._child.kill()
            self._child.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "relive_store", "--path", str(self.directory)]
        command += ["--socket", str(self.socket_path), "--parent", str(os.getpid())]
        if self._idle_exit_s:
            command += ["--idle-exit", f"{self._idle_exit_s:g}"]
        if self._log_path is None:
            return self._popen(command, subprocess.DEVNULL)
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._log_start = log.seek(0, os.SEEK_END)
            return self._popen(command, log.fileno())

    def _popen(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        # Its own session: Ctrl-C in the terminal is for the server, which then stops the store last; and
        # if the kernel schedules by session, the store takes no share of the server's.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=store_environment(),
        )

    def said(self) -> str:
        """What the process has said since it was started last, short; never empty."""
        if self._log_path is None:
            return "it has no log"
        return last_words(self._log_path, self._log_start)


def store_environment() -> dict[str, str]:
    """What the process is started with. The driver makes no table of all dates of four centuries in it, which
    is most of what its import takes, and 20 MB: dates are worked out as they come."""
    return {**child_environment(os.environ), "CLICKHOUSE_DRIVER_LASY_DATE_LUT": "1"}


def ending(status: int) -> str:
    """How a process ended, from the status that subprocess gives."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def last_words(log: Path, start: int = 0) -> str:
    """The reason in what a store process has written into `log` from byte `start` on: the error that it
    ended with, else its last line; never empty, never a traceback."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - _LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"its log cannot be read ({error.strerror})"
    _, found, reason = f"\n{text}".rpartition("\nrelive_store: ")
    if found:
        return reason.strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"it has written nothing to {log.name}"
