"""Starting, watching and stopping the store process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from relive_store.client import UnixStore
from relive_store.errors import StoreUnavailable

__all__ = ["StoreProcess"]

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
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """0 where none was started."""
        return self._child.pid if self._child else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs; reaps it where it does not."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_status(self) -> int | None:
        """As subprocess has it: None while it runs or where it never did."""
        return self._child.poll() if self._child else None

    @property
    def url(self) -> str:
        """For open_store."""
        return f"unix://{self.socket_path}"

    def start(self, timeout_s: float = 30.0) -> None:
        """Start, and wait until it answers. Does nothing where it runs. Raises StoreUnavailable with the
        log's end."""
        if self.alive:
            return
        self._child = self._spawn()
        client = UnixStore(self.socket_path)
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                if self._child.poll() is not None:
                    status = self._child.returncode
                    raise StoreUnavailable(
                        f"the store process ended at once (status {status}): {self._log_tail()}",
                        where=str(self.directory),
                    )
                try:
                    if client.ping(1.0) == self._child.pid:
                        return
                except StoreUnavailable:
                    pass  # not listening yet
                time.sleep(_POLL_S)
        finally:
            client.close()
        self.kill()
        raise StoreUnavailable(
            f"the store process was not ready within {timeout_s:g} s: {self._log_tail()}",
            where=str(self.directory),
        )

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
            return self._popen(command, log.fileno())

    def _popen(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        # Its own session: Ctrl-C in the terminal is for the server, which then stops the store last; and
        # where the kernel schedules by session, the store takes no share of the server's.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

    def _log_tail(self) -> str:
        if self._log_path is None or not self._log_path.exists():
            return "no log"
        return self._log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()
