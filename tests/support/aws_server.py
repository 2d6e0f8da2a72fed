"""A whole server that serves AWS's APIs, in a thread of its own: boto3 blocks."""

from __future__ import annotations

import asyncio
import io
import threading
import time
import zipfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from patience import PATIENCE_S
from relive_platform.api.aws.credentials import KeyPair, key_pair
from relive_platform.server.control import ControlPlane
from relive_platform.server.server import ReliveServer
from relive_platform.settings import Settings

__all__ = ["ROLE", "AwsServer", "aws_server", "zip_of"]

ROLE = "arn:aws:iam::000000000000:role/any"


def zip_of(**files: str) -> bytes:
    """A zip of modules, `zip_of(app="def handler(event, context): ...")`, or of files with an ending."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, text in files.items():
            package.writestr(name if "." in name.rpartition("/")[2] else f"{name}.py", text)
    return buffer.getvalue()


class AwsServer:
    """A running server, and clients of it. Everything may be called from the test's thread."""

    def __init__(self, server: ReliveServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop

    @property
    def url(self) -> str:
        """Of the listener of AWS's APIs."""
        return self.server.aws_address

    @property
    def keys(self) -> KeyPair:
        """The home's."""
        return key_pair((self.server.run_dir / "token").read_text().strip())

    def client(self, service: str, keys: KeyPair | None = None, **more: Any) -> Any:
        """A real boto3 client."""
        keys = keys or self.keys
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            config=Config(retries={"max_attempts": 0}, read_timeout=PATIENCE_S, **more),
        )

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """A coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"not true within {PATIENCE_S} s"
            time.sleep(0.01)


@contextmanager
def aws_server(home: Path, **overrides: object) -> Iterator[AwsServer]:
    """A server on `home`, stopped at the end whatever happens."""
    values = {
        "home": str(home),
        "http": "127.0.0.1:0",
        "lambda_api": "127.0.0.1:0",
        "otlp_grpc": "off",
        "otlp_http": "off",
        "waiting_workers": 0,
        "backoff_s": 0.05,
        "store_wait_s": 0,  # nothing of this reads what was recorded
    } | overrides
    settings = Settings.from_environment({}, values)
    started: list[AwsServer | BaseException] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        server = ReliveServer(settings, ControlPlane)
        try:
            await server.start()
        except BaseException as error:
            started.append(error)
            ready.set()
            return
        started.append(AwsServer(server, asyncio.get_running_loop()))
        ready.set()
        await asyncio.get_running_loop().run_in_executor(None, over.wait)
        await server.stop(1.0)

    thread = threading.Thread(target=lambda: _run(serve), name="aws-server")
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        found = started[0]
        if isinstance(found, BaseException):
            raise found
        yield found
    finally:
        over.set()
        thread.join(PATIENCE_S)


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())
