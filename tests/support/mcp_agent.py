"""A coding agent's side of `relive mcp`, with the official client: over stdio, or HTTP with a token."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from patience import PATIENCE_S

__all__ = ["Agent", "Told", "agent_by_http", "agent_by_stdio", "served_by_http"]

CHARS_PER_TOKEN = 4
"""How tokens are counted: the usual estimate for English and code."""


@dataclass(frozen=True)
class Told:
    """The text of an answer."""

    text: str
    failed: bool

    @property
    def tokens(self) -> float:
        return len(self.text) / CHARS_PER_TOKEN

    @property
    def next(self) -> str:
        """What it says that helps now."""
        found = re.findall(r"^next: (.*)", self.text, re.MULTILINE)
        return found[-1] if found else ""


class Agent:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> Told:
        result = await self.client.call_tool(tool, arguments)
        (content,) = result.content
        return Told(content.text, bool(result.is_error))


@asynccontextmanager
async def agent_by_stdio(home: Path, *flags: str) -> AsyncIterator[Agent]:
    given = ["-m", "relive", "--home", str(home), "mcp", *flags]
    server = StdioServerParameters(command=sys.executable, args=given, env=dict(os.environ), cwd="/")
    async with Client(stdio_client(server)) as client:
        yield Agent(client)


@contextmanager
def served_by_http(home: Path) -> Iterator[str]:
    """Gives the address."""
    command = [sys.executable, "-m", "relive", "--home", str(home), "mcp", "--http", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@asynccontextmanager
async def agent_by_http(address: str, token: str) -> AsyncIterator[Agent]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=PATIENCE_S) as http,
        Client(streamable_http_client(address, http_client=http)) as client,
    ):
        yield Agent(client)
