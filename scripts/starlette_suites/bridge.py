"""The service that Relive serves: it passes each request on to the test that has made it, message by message.

The test's process listens; the header `x-bridge` says at which port. There, `plugin.py` runs the test's
application on the scope that Relive has made, and asks for what it receives and sends. Both ends speak in
lines of Python literals.
"""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

_HEADER: Final = b"x-bridge"
_LINE_BYTES: Final = 256 * 1024 * 1024
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class BridgedError(Exception):
    """What the test's application has raised."""


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """One request or websocket, or the lifespan, which stays here."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    port = next(int(value) for name, value in scope["headers"] if name == _HEADER)
    plain = {name: value for name, value in scope.items() if name not in ("state", "extensions")}
    plain["headers"] = [(bytes(name), bytes(value)) for name, value in scope["headers"] if name != _HEADER]
    plain["extensions"] = {name: {} for name in scope.get("extensions", ())}
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LINE_BYTES)
    try:
        _write(writer, plain)
        await _relay(reader, writer, receive, send)
    finally:
        writer.close()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, receive: Receive, send: Send
) -> None:
    tasks: set[asyncio.Task[None]] = set()

    async def answer(number: int, message: Any) -> None:
        try:
            value = await receive() if message is None else await send(message)
            _write(writer, (number, "", value))
        except Exception as error:
            _write(writer, (number, f"{type(error).__name__}: {error}", None))

    try:
        while line := await reader.readline():
            number, message = ast.literal_eval(line.decode())
            if number < 0:  # the application's end
                if message:
                    raise BridgedError(message)
                return
            task = asyncio.create_task(answer(number, message))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    finally:
        for task in tasks:
            task.cancel()


def _write(writer: asyncio.StreamWriter, value: object) -> None:
    writer.write(ascii(value).encode() + b"\n")
