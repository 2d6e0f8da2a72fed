"""A whole server in the test's own event loop, with the embedded store in its own process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patience import PATIENCE_S
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.server.control import ControlPlane
from relive_platform.server.server import ReliveServer
from relive_platform.settings import Settings

__all__ = ["Answer", "Served", "served", "write_app"]


@dataclass
class Answer:
    """An HTTP response as it came."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a JSON error."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


def write_app(folder: Path, source: str, functions: str) -> Path:
    """An application of one module `app.py`; `functions` is the TOML below [app]."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(source)
    (folder / "relive.toml").write_text(f'[app]\nname = "test"\n{functions}')
    return folder


@dataclass
class Served:
    """A running server and ways to talk to it."""

    server: ReliveServer

    async def deploy(self, folder: Path) -> None:
        """Deploy as the API does, from another thread."""
        await asyncio.get_running_loop().run_in_executor(None, self.server.deploy, folder)

    async def invoke(self, function: str, event: bytes = b"null", **more: Any) -> Outcome:
        """One event, to its end."""
        return await self.server.invoke(InvokeRequest(function=function, event=event, **more))

    def address(self) -> tuple[str, int]:
        """Host and port of the gateway."""
        host, _, port = self.server.http_address.removeprefix("http://").rpartition(":")
        return host, int(port)

    async def raw(self, data: bytes, timeout_s: float = PATIENCE_S) -> bytes:
        """Send bytes as they are; what comes back until the server closes or pauses for `timeout_s`."""
        reader, writer = await asyncio.open_connection(*self.address())
        writer.write(data)
        received = b""
        try:
            while part := await asyncio.wait_for(reader.read(65_536), timeout_s):
                received += part
        except (TimeoutError, ConnectionError):
            pass
        writer.close()
        return received

    async def http(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        for name, value in (headers or {}).items():
            head += f"{name}: {value}\r\n"
        if body:
            head += f"content-length: {len(body)}\r\n"
        return parse(await self.raw(head.encode() + b"\r\n" + body))

    async def rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query, after everything recorded is in the store; `parameters` are named in it."""
        deadline = time.monotonic() + PATIENCE_S
        while not await self.server.flush(PATIENCE_S):  # a gateway beside it may just be too busy to say so
            assert time.monotonic() < deadline, f"not in the store within {PATIENCE_S} s"
        loop = asyncio.get_running_loop()
        return list((await loop.run_in_executor(None, self.server.store.query, sql, parameters)).rows())

    async def rows_of(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query as soon as there are some: the server waits within limits for what a
        worker tells, and one that was ended at a limit tells late on a busy machine."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := await self.rows(sql, **parameters)):
            assert time.monotonic() < deadline, f"no rows within {PATIENCE_S} s: {sql}"
        return found

    async def until(self, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not true within {timeout_s} s"
            await asyncio.sleep(0.01)


def parse(data: bytes) -> Answer:
    """One HTTP response without chunks."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(parts[1]) if len(parts) > 1 else 0, headers, body)


@asynccontextmanager
async def served(
    home: Path, *, with_api: bool = False, environment: dict[str, str] | None = None, **overrides: object
) -> AsyncIterator[Served]:
    """A server on `home`, stopped at the end whatever happens."""
    values = {
        "home": str(home),
        "http": "127.0.0.1:0",
        "otlp_grpc": "off",
        "otlp_http": "off",
        "waiting_workers": 0,
        "backoff_s": 0.05,
        "timeout_s": 60.0,
        "wait_limit_s": 60.0,
        "header_timeout_s": 60.0,
    } | overrides
    settings = Settings.from_environment(environment or {}, values)
    server = ReliveServer(settings, ControlPlane if with_api else None)
    await server.start()
    try:
        yield Served(server)
    finally:
        await server.stop(1.0)
