"""The `relive` command as a user runs it: a process of its own on a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forked_commands import ForkedCommands
from patience import PATIENCE_S

_forked = ForkedCommands()


@dataclass
class Answer:
    """What the gateway answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Relive:
    """One home."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    http: str = ""

    def run(
        self, *arguments: str, check: bool = True, timeout_s: float = PATIENCE_S, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one command; with `check` it has to end with 0."""
        given = ["--home", str(self.home), *arguments]
        environment = {**os.environ, "COLUMNS": "160", "RELIVE_TIMEOUT_S": "60", **self.environment}
        if _forked.takes(list(arguments), self.environment):
            done = _forked.run(given, stdin, environment, timeout_s)
        else:
            done = subprocess.run(
                [sys.executable, "-m", "relive", *given],
                capture_output=True,
                text=True,
                timeout=timeout_s,
                input=stdin,
                env=environment,
                cwd="/",
            )
        if check and done.returncode != 0:
            raise AssertionError(
                f"relive {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def json(self, *arguments: str, check: bool = True) -> list[dict[str, Any]]:
        """The objects that `--json` prints."""
        done = self.run(*arguments, "--json", check=check)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def invoke(self, function: str, event: Any = None, *flags: str) -> dict[str, Any]:
        """What `relive invoke --json` prints, failed or not, and "seconds": how long it took."""
        began = time.monotonic()
        text = event if isinstance(event, str) else json.dumps({} if event is None else event)
        (row,) = self.json("invoke", function, "--event", text, *flags, check=False)
        return {**row, "seconds": time.monotonic() - began}

    def scene(self, invocation_id: str, limit_s: float = PATIENCE_S) -> dict[str, Any]:
        """The scene of a failed invocation, as soon as it is there."""
        found: list[dict[str, Any]] = self.eventually(
            lambda: self.json("failure", invocation_id, check=False), limit_s
        )
        return found[0]

    @contextlib.contextmanager
    def serving(self, *flags: str) -> Iterator[Relive]:
        """A server on this home for as long as the block runs."""
        done = self.run("serve", "--daemon", "--http", "127.0.0.1:0", "--json", *flags)
        self.http = json.loads(done.stdout)["http"]
        try:
            yield self
        finally:
            self.run("stop", check=False)

    def pid(self) -> int:
        """The server's process."""
        return int(json.loads((self.home / "run" / "server.json").read_text())["pid"])

    def request(
        self,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        method: str | None = None,
    ) -> Answer:
        """One request to the gateway."""
        request = urllib.request.Request(self.http + path, body, headers or {}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE_S) as response:
                return Answer(
                    response.status, {k.lower(): v for k, v in response.headers.items()}, response.read()
                )
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def raw(self, data: bytes, limit_s: float = PATIENCE_S) -> tuple[bytes, bool]:
        """Send bytes to the gateway; everything it answers, and whether it closed the connection."""
        place = urllib.parse.urlsplit(self.http)
        answer = b""
        with socket.create_connection((place.hostname, place.port), limit_s) as connection:
            connection.settimeout(limit_s)
            connection.sendall(data)
            while True:
                try:
                    part = connection.recv(65_536)
                except TimeoutError:
                    return answer, False
                except ConnectionResetError:
                    return answer, True
                if not part:
                    return answer, True
                answer += part

    def eventually(self, what: Callable[[], Any], limit_s: float = PATIENCE_S) -> Any:
        """The first true value of `what`: telemetry reaches the store a moment after the answer."""
        give_up = time.monotonic() + limit_s
        while True:
            value = what()
            if value:
                return value
            if time.monotonic() > give_up:
                raise AssertionError(f"not within {limit_s} s; last value {value!r}")
            time.sleep(0.1)

    def processes(self) -> list[str]:
        """The command lines of all processes that name this home."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if entry.name.isdigit() and str(self.home) in command:
                    found.append(command)
        return found

    def application(self, files: dict[str, str]) -> Path:
        """Write an application's files into a folder of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.home.parent, prefix="app"))
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder


def toml(functions: dict[str, str], app: str = "lab") -> str:
    """A relive.toml; `functions`: name -> its further lines, the handler among them.

    Who says nothing of a time limit gets a long one: on a busy machine a commit to disk can take seconds.
    """
    parts = [f'[app]\nname = "{app}"\n']
    for name, lines in functions.items():
        limit = "" if "timeout_s" in lines else "timeout_s = 30\n"
        parts.append(f'[functions.{name}]\nsource = "."\n{limit}{lines}\n')
    return "\n".join(parts)


@contextlib.contextmanager
def laboratory(
    files: dict[str, str], environment: dict[str, str] | None = None, *flags: str
) -> Iterator[Relive]:
    """A server with one application in service, for the tests of a whole module."""
    with relive_home() as home:
        home.environment = environment or {}
        with home.serving(*flags):
            home.run("deploy", str(home.application(files)))
            yield home


@contextlib.contextmanager
def relive_home() -> Iterator[Relive]:
    """A home below /tmp with a short path: unix sockets have at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="relive"))
    try:
        yield Relive(folder / "home")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
