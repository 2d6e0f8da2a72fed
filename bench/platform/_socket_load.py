"""Load on sockets, in a process of its own: `ws URL CLIENTS SECONDS` or `grpc TARGET CLIENTS SECONDS`; prints
round trips, seconds, and the median latency in ms. It does as little as it can, so that the server counts."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import time
from urllib.parse import urlsplit

import uvloop

TEXT = b"hello, there"
FRAME = bytes((0x81, 0x80 | len(TEXT), 0, 0, 0, 0)) + TEXT  # masked with zeros
ANSWER = bytes((0x81, len(TEXT))) + TEXT


class _Client(asyncio.Protocol):
    """Sends the next message when the answer to the last one is there."""

    def __init__(self, path: str, latencies: list[float]) -> None:
        self.path, self.latencies = path, latencies
        self.until = 0.0
        self.ready = asyncio.get_running_loop().create_future()
        self.opened = False
        self.received = b""
        self.sent = 0.0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
        head = f"GET {self.path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        transport.write((head + key + "\r\n").encode())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.opened:
            if b"\r\n\r\n" not in self.received:
                return
            if b" 101 " not in self.received[:20]:
                self.over.set_exception(RuntimeError(self.received.decode("latin-1")))
                return
            self.opened = True
            self.received = b""
            self.ready.set_result(None)
            return
        if len(self.received) >= len(ANSWER):
            assert self.received == ANSWER, self.received
            self.received = b""
            self.latencies.append(time.perf_counter() - self.sent)
        else:
            return
        self.go()

    def go(self) -> None:
        """The next round, or the end."""
        self.sent = time.perf_counter()
        if self.sent < self.until:
            self.transport.write(FRAME)  # type: ignore[attr-defined]
        elif not self.over.done():
            self.over.set_result(None)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or ConnectionError("the server has closed"))


async def _websockets(url: str, clients: int, seconds: float) -> tuple[list[float], float]:
    parts = urlsplit(url)
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    made = [_Client(parts.path, latencies) for _ in range(clients)]
    for client in made:
        await loop.create_connection(lambda client=client: client, parts.hostname, parts.port)
    await asyncio.wait_for(asyncio.gather(*(client.ready for client in made)), 60)
    begin = time.perf_counter()
    for client in made:
        client.until = begin + seconds
        client.go()
    await asyncio.gather(*(client.over for client in made))
    return latencies, time.perf_counter() - begin


async def _grpc(target: str, clients: int, seconds: float) -> tuple[list[float], float]:
    import grpc.aio

    latencies: list[float] = []
    async with grpc.aio.insecure_channel(target) as channel:
        say = channel.unary_unary("/demo.Echo/Say")
        assert await say(TEXT, wait_for_ready=True, timeout=60) == TEXT
        start = time.perf_counter()
        until = start + seconds

        async def one() -> None:
            while (begin := time.perf_counter()) < until:
                await say(TEXT)
                latencies.append(time.perf_counter() - begin)

        await asyncio.gather(*(one() for _ in range(clients)))
        return latencies, time.perf_counter() - start


def main() -> None:
    """Run one of them."""
    kind, where, clients, seconds = sys.argv[1:5]
    if kind == "ws":
        latencies, spent = uvloop.run(_websockets(where, int(clients), float(seconds)))
    else:
        latencies, spent = asyncio.run(_grpc(where, int(clients), float(seconds)))
    with contextlib.suppress(BrokenPipeError):
        print(len(latencies), spent, statistics.median(latencies) * 1_000)


if __name__ == "__main__":
    main()
