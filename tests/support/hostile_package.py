"""A package that looks for whatever it should not see, as it is built and as it is imported."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Loot", "hostile_sdist", "loot"]

SPY = '''
import ctypes, json, os, resource, signal, socket

def attempt(what, *arguments):
    try:
        return repr(what(*arguments))[:200]
    except BaseException as error:
        return type(error).__name__

def read(path):
    with open(path, "rb") as file:
        return file.read(100)

def write(path):
    with open(path, "wb") as file:
        return file.write(b"x")

def connect(path):
    with socket.socket(socket.AF_UNIX) as tried:
        tried.connect(path)
        return "connected"

def spy(job):
    report = {}
    for path in job["files"]:
        report["read " + path] = attempt(read, path)
    for path in job["folders"]:
        report["list " + path] = attempt(os.listdir, path)
        report["write " + path] = attempt(write, path + "/planted")
        report["mode of " + path] = attempt(os.chmod, path, 0o700)
        report["time of " + path] = attempt(os.utime, path)
    pid = job["pid"]
    for name in ("environ", "mem", "maps"):
        report["proc " + name] = attempt(read, f"/proc/{pid}/{name}")
    report["connect"] = attempt(connect, job["socket"])
    report["prlimit"] = attempt(resource.prlimit, pid, resource.RLIMIT_CPU, (1, 1))
    report["kill"] = attempt(os.kill, pid, 0)
    report["sched"] = attempt(os.sched_setaffinity, pid, [0])
    report["own environment"] = json.dumps(dict(os.environ))
    return report

def stay(marker):
    """Go on after the end, out of the group and the session, as nobody's child."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for descriptor in range(3):
        os.close(descriptor)
    while True:
        signal.pause()
'''
BACKEND = """
import zipfile
JOB = json.loads(@JOB@)
def build_wheel(folder, config_settings=None, metadata_directory=None):
    report = spy(JOB)
    if JOB.get("stay"):
        stay(JOB["stay"])
    name = "hostile-1.0-py3-none-any.whl"
    module = @SPY@ + f"\\nJOB = {JOB!r}\\nBUILT = {report!r}\\nIMPORTED = spy(JOB)\\nPID = os.getpid()\\n"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("hostile.py", module)
        wheel.writestr("hostile.pth", "import hostile; hostile.BY_PTH = hostile.spy(hostile.JOB)\\n")
        info = "hostile-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: hostile\\nVersion: 1.0\\n")
        tags = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", f"hostile.py,,\\nhostile.pth,,\\n{info}/METADATA,,\\n")
    return name
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "hostile"
version = "1.0"
"""
SECRET = "the-secret-of-the-server"


@dataclass
class Loot:
    """What a thief would like: files and folders of a home, a process and a socket of the user's."""

    home: Path
    pid: int
    socket: str

    def job(self, **more: Any) -> dict[str, Any]:
        """For the spy."""
        home = self.home
        files = [home / "run/token", home / "registry.db", home / "events.db", home / "scenes/a.scene"]
        files += [home / "code/other/1/main.py", Path("/etc/shadow")]
        folders = [home, home / "run", home / "code/other/1", home / "deps", Path.home(), Path("/dev/pts")]
        texts = {"files": [str(path) for path in files], "folders": [str(path) for path in folders]}
        return texts | {"pid": self.pid, "socket": self.socket} | more

    def assert_safe(self, report: dict[str, str]) -> None:
        """Nothing was read, written or reached."""
        assert SECRET not in json.dumps(report)
        refused = ("PermissionError", "OSError", "FileNotFoundError", "ProcessLookupError")
        assert {name: text for name, text in report.items() if text not in refused} == {
            "own environment": report["own environment"]
        }


@contextmanager
def loot(home: Path) -> Iterator[Loot]:
    """A home with secrets in its files, and a process with one in its environment."""
    for name in ("run/token", "registry.db", "events.db", "scenes/a.scene", "code/other/1/main.py"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(SECRET)
    code = "import sys; print(flush=True); sys.stdin.read()"
    environment = {"PATH": os.environ["PATH"], "TOKEN": SECRET}
    pipe = subprocess.PIPE
    path = str(home / "run" / "agent.sock")
    with (
        socket.socket(socket.AF_UNIX) as agent,
        subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, env=environment) as server,
    ):
        agent.bind(path)
        agent.listen()
        assert server.stdout is not None
        server.stdout.readline()
        yield Loot(home, server.pid, path)
        assert server.poll() is None
        server.kill()


def hostile_sdist(folder: Path, job: dict[str, Any]) -> Path:
    """A source folder; what it found as it was built is `hostile.BUILT`, as it was imported, in the
    process `hostile.PID`, `IMPORTED`; and by its .pth file `BY_PTH`."""
    project = folder / "hostile"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT)
    backend = BACKEND.replace("@JOB@", repr(json.dumps(job))).replace("@SPY@", repr(SPY))
    (project / "backend.py").write_text(f"{SPY}\n{backend}")
    return project
