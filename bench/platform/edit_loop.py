"""The edit loop: a file is saved, `relive deploy --watch` deploys it, and HTTP answers with the new code.

Everything is real: a server, the command in a process of its own, a SAM template with
HTTP events. The time runs from the end of the write to the first answer with the new text.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["run", "try_out"]

TARGET_MS = 1_000.0
_LIMIT_S = 60.0
_TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, Timeout: 10}}
Resources:
%s
"""
_FUNCTION = """\
  F%d:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src%d/
      Handler: app.handler
      Events: {E: {Type: HttpApi, Properties: {Path: /f%d, Method: get}}}
"""
_CODE = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': 'edit %d'}\n"


class _World:
    """A server with an application of some functions, of which the first one is edited."""

    def __init__(self, folder: Path, functions: int) -> None:
        self.home, self.app = folder / "home", folder / "app"
        self.functions = functions
        self.address = ""

    def relive(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "relive", "--home", str(self.home), *arguments]

    def write(self, number: int, function: int = 0) -> None:
        source = self.app / f"src{function}"
        source.mkdir(parents=True, exist_ok=True)
        (source / "app.py").write_text(_CODE % number)

    def answer(self) -> str:
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        try:
            connection.request("GET", "/f0")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def wait_for(self, number: int) -> float:
        """When the new text was there, monotonic."""
        until = time.monotonic() + _LIMIT_S
        while self.answer() != f"edit {number}":
            if time.monotonic() > until:
                raise TimeoutError(f"edit {number} was not answered within {_LIMIT_S:g} s")
            time.sleep(0.005)
        return time.monotonic()


@contextmanager
def _world(functions: int) -> Iterator[_World]:
    folder = Path(tempfile.mkdtemp(prefix="relive-edit-", dir="/var/tmp"))
    world = _World(folder, functions)
    try:
        for number in range(functions):
            world.write(0, number)
        texts = "".join(_FUNCTION % (number, number, number) for number in range(functions))
        (world.app / "template.yaml").write_text(_TEMPLATE % texts)
        serve = world.relive("serve", "--daemon", "--http", "127.0.0.1:0", "--json")
        subprocess.run(serve, check=True, capture_output=True, timeout=600)
        status = subprocess.run(world.relive("status", "--json"), check=True, capture_output=True, timeout=60)
        world.address = str(json.loads(status.stdout)["http"])
        yield world
    finally:
        subprocess.run(world.relive("stop"), check=False, capture_output=True, timeout=120)
        shutil.rmtree(folder, ignore_errors=True)


def measure(functions: int, edits: int) -> list[float]:
    """Milliseconds from each edit to the first answer with it."""
    with _world(functions) as world:
        command = world.relive("deploy", str(world.app), "--watch")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        watching = subprocess.Popen(command, **quiet, env=dict(os.environ))  # type: ignore[call-overload]
        try:
            world.wait_for(0)
            found = []
            for number in range(1, edits + 1):
                time.sleep(0.7 + 0.013 * number)  # not in step with what looks for changes
                world.write(number)
                began = time.monotonic()
                found.append((world.wait_for(number) - began) * 1e3)
            return found
        finally:
            watching.terminate()
            watching.wait(_LIMIT_S)


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows of applications with one and with ten functions."""
    rows = []
    for functions in (1, 10):
        times = measure(functions, 5 if quick else 15)
        median = statistics.median(times)
        plural = "s" if functions > 1 else ""
        rows.append(
            {
                "name": f"edit to first response, {functions} function{plural} in a SAM template",
                "value": round(median),
                "unit": f"ms (at most {max(times):.0f})",
                "target": f"<= {TARGET_MS:.0f}",
                "ok": median <= TARGET_MS,
            }
        )
    return rows


def try_out() -> None:
    """One edit."""
    measure(1, 1)
