"""Hosts that are not Relive, and the scenes that their applications leave."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from patience import PATIENCE_S
from relive_capture.explore.scene import SceneFile, read_scene

__all__ = ["BIN", "asked", "environment", "host", "run", "scene_of", "scenes_in"]

BIN = Path(sys.executable).parent


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a process whose scenes go to `folder`/scenes."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    kept["PATH"] = f"{BIN}{os.pathsep}{kept.get('PATH', '')}"
    return {
        **kept,
        "RELIVE_RECORD_TO": str(folder / "scenes"),
        "RELIVE_RECORD_STATE": str(folder / "state"),
        "RELIVE_RECORD_SEND_S": str(PATIENCE_S),
        **more,
    }


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    given = environment(folder, RELIVE_RECORD_WAIT_S=str(PATIENCE_S), **more)
    return subprocess.run(
        command, cwd=folder, env=given, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@contextlib.contextmanager
def host(
    folder: Path, command: Sequence[str], port: int = 0, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on; with a `port`, once it takes connections there."""
    with (folder / "host.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder, **more),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + PATIENCE_S
        while port and not _listens(port):
            assert process.poll() is None, (folder / "host.log").read_text()
            assert time.monotonic() < until, (folder / "host.log").read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def asked(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def scenes_in(folder: Path, count: int) -> list[SceneFile]:
    """So many scenes, in the order in which they were made, as soon as they are there."""
    until = time.monotonic() + PATIENCE_S
    while True:
        files = sorted((folder / "scenes").glob("*.scene"))
        if len(files) >= count:
            return [read_scene(file) for file in files]
        assert time.monotonic() < until, (
            (folder / "host.log").read_text() if (folder / "host.log").exists() else ""
        )
        time.sleep(0.05)


def scene_of(folder: Path) -> SceneFile:
    """The only one."""
    (found,) = scenes_in(folder, 1)
    return found
