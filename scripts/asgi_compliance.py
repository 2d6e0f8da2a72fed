"""Runs a foreign suite for ASGI servers against applications of six frameworks that Relive serves: that of
gunicorn (github.com/benoitc/gunicorn, tests/docker/asgi_framework_compat) for its own ASGI worker.

    git clone https://github.com/benoitc/gunicorn
    python scripts/asgi_compliance.py gunicorn [FRAMEWORK...]

Nothing of the suite is changed, but docker is not used: each application is deployed to a server of its own,
on the port where the suite looks for it. Prints what passed, and ends with 1 if something failed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final

from relive_platform.registry import Registry

SUITE: Final = Path("tests", "docker", "asgi_framework_compat")
PORTS: Final = {
    "django": 8001, "fastapi": 8002, "starlette": 8003, "quart": 8004, "litestar": 8005, "blacksheep": 8006,
}  # fmt: skip
NEEDS: Final = ("pytest", "pytest-asyncio", "httpx", "websockets", "pytest-json-report")
_TOML: Final = """[app]
name = "{name}"
[functions.{name}]
kind = "service"
app = "{app}"
max_workers = 1
timeout_s = 60
[[functions.{name}.triggers]]
type = "http"
path = "/"
[[functions.{name}.triggers]]
type = "http"
path = "/{{path+}}"
"""
_READY_S: Final = 120.0


def main(suite: Path, names: list[str]) -> int:
    """How many frameworks have a test that fails."""
    folder = Path(tempfile.mkdtemp(prefix="relive-asgi-"))
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *NEEDS], check=True)
    failed = 0
    try:
        for name in names or list(PORTS):
            failed += _framework(name, suite / SUITE, folder, python)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return failed


def _framework(name: str, suite: Path, folder: Path, python: Path) -> bool:
    """Whether a test of it fails."""
    app = folder / name
    shutil.copytree(suite / "frameworks" / f"{name}_app", app)
    module = "asgi:application" if name == "django" else "app:app"
    (app / "relive.toml").write_text(_TOML.format(name=name, app=module))
    home = folder / f"home-{name}"
    env = {**os.environ, "RELIVE_HOME": str(home)}
    relive = str(Path(sys.executable).parent / "relive")
    registry = Registry(home)
    registry.deploy(app)
    registry.close()
    with (folder / f"{name}.log").open("wb") as log:
        server = subprocess.Popen(
            [relive, "serve", "--http", f"127.0.0.1:{PORTS[name]}"], env=env, stdout=log, stderr=log
        )
    try:
        _wait(PORTS[name])
        command = [str(python), "-m", "pytest", "--skip-docker-check", "-q", "-k", f"[{name}", "tests"]
        done = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False)
    finally:
        server.terminate()
        server.wait(60)
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr[-300:]]
    print(f"{name}: {last[0].strip('= ')}", flush=True)
    for line in re.findall(r"(?m)^(?:FAILED|ERROR) .*", done.stdout):
        print(f"  {line}", flush=True)
    return done.returncode != 0


def _wait(port: int) -> None:
    """Until the application answers."""
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                answer.read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]) and 1)
