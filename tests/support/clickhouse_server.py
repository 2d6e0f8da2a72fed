"""A real ClickHouse server without containers: a `clickhouse` on PATH, else the engine library of a pinned
npm package.

The library's `chdb_query_cmdline` is clickhouse-local; a query that starts the TCP listener and then
sleeps makes it a server.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from free_ports import free_port

__all__ = ["LIBRARY_VERSION", "ClickHouseServer", "library", "serve"]

LIBRARY_PACKAGE = "@chdb/lib-linux-x64-gnu"
LIBRARY_VERSION = "26.7.3-stable.1"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "clickhouse"
_DAY_S = 86_400
_LISTEN = (
    "SYSTEM START LISTEN TCP; SELECT sleepEachRow(1) FROM numbers({seconds})"
    " SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0 FORMAT Null"
)


def library() -> Path:
    """The engine library, installed into the repository's cache on first use."""
    path = CACHE / "node_modules" / LIBRARY_PACKAGE / "libchdb.so"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            command = [
                "npm",
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
                str(CACHE),
            ]
            subprocess.run([*command, f"{LIBRARY_PACKAGE}@{LIBRARY_VERSION}"], check=True, timeout=600)
    return path


def arguments(directory: Path, port: int) -> list[str]:
    """clickhouse-local's arguments."""
    return [
        f"--path={directory}",
        f"--tcp_port={port}",
        "--listen_host=127.0.0.1",
        f"--query={_LISTEN.format(seconds=_DAY_S)}",
    ]


def serve(directory: Path, port: int) -> int:
    """Be the server, until killed or for a day; the exit status."""
    binary = shutil.which("clickhouse")
    if binary:
        os.execv(binary, ["clickhouse", "local", *arguments(directory, port)])
    engine = ctypes.CDLL(str(library()))
    texts = [text.encode() for text in ("clickhouse", *arguments(directory, port))]
    engine.chdb_query_cmdline.restype = ctypes.c_void_p
    engine.chdb_result_error.restype = ctypes.c_char_p
    engine.chdb_result_error.argtypes = [ctypes.c_void_p]
    result = engine.chdb_query_cmdline(len(texts), (ctypes.c_char_p * len(texts))(*texts))
    error = engine.chdb_result_error(result) if result else b""
    if error:
        print(error.decode("utf-8", "replace"), file=sys.stderr)
    return 1 if error else 0


class ClickHouseServer:
    """A server process on 127.0.0.1 with its own directory."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory = directory
        self.port = port or free_port()
        self._child: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "default") -> str:
        """For relive_store.open_store."""
        return f"clickhouse://default@127.0.0.1:{self.port}/{database}"

    def start(self, timeout_s: float = 120.0) -> None:
        """Start, and wait until the port answers. Raises RuntimeError with the log."""
        if not shutil.which("clickhouse"):
            library()
        self.directory.mkdir(parents=True, exist_ok=True)
        log_path = self.directory.with_suffix(".log")
        with log_path.open("wb") as log:
            command = [sys.executable, __file__, str(self.directory), str(self.port)]
            self._child = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(
            f"the ClickHouse server did not start: {log_path.read_text(errors='replace')[-2000:]}"
        )

    def stop(self) -> None:
        """Kill it: its data is of no further use."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), int(sys.argv[2])))
