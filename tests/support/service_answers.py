"""What is recorded of a request to a service, by its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relive_capture.explore.scene import SceneFile, read_scene
from server_harness import Answer, Served

__all__ = ["invocation", "lines", "opened", "scene_of"]


@asynccontextmanager
async def opened(
    services: Served, head: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that has sent a request."""
    reader, writer = await asyncio.open_connection(*services.address())
    writer.write(f"{head} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    try:
        yield reader, writer
    finally:
        writer.close()


async def invocation(services: Served, answer: Answer) -> tuple[str, str, str]:
    """Status, error type and error place of the invocation that an answer is of."""
    ident = answer.headers["x-relive-invocation-id"]
    sql = f"SELECT Status, ErrorType, ErrorFunction FROM invocations WHERE InvocationId = '{ident}'"  # noqa: S608
    return (await services.rows_of(sql))[0]  # type: ignore[return-value]


async def lines(services: Served, answer: Answer) -> list[str]:
    ident = answer.headers["x-relive-invocation-id"]
    sql = f"SELECT Body FROM otel_logs WHERE InvocationId = '{ident}' ORDER BY Timestamp"  # noqa: S608
    return [str(row[0]) for row in await services.rows(sql)]


async def scene_of(services: Served, answer: Answer) -> SceneFile:
    ident = answer.headers["x-relive-invocation-id"]
    await services.rows("SELECT 1")
    path = services.server.settings.home / "scenes" / f"{ident}-1.scene"
    await services.until(path.is_file)  # what was ended at a limit is told of late on a busy machine
    return read_scene(path)
