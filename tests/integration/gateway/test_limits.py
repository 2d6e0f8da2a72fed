"""Every part of a request counts against a limit, and nobody is locked out."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from pathlib import Path

import pytest
from gate import Gate
from server_harness import Answer, Served, parse, served, write_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHUNKED = b"POST /fn/web HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
GET = b"GET /fn/web HTTP/1.1\r\nhost: localhost\r\n"


async def answered(gateway: Served, start: bytes, more: bytes, *, times: int = 2_000) -> Answer:
    """The answer to a request that goes on and on, and how the connection ends."""
    reader, writer = await asyncio.open_connection(*gateway.address())
    writer.write(start)

    async def send() -> None:
        for _ in range(times):
            writer.write(more)
            await writer.drain()

    sending = asyncio.ensure_future(send())
    try:
        data = await asyncio.wait_for(reader.read(), 120.0)
    except ConnectionError:
        data = b""
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()
    return parse(data)


ENDLESS = {
    "trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nx-trailer: ", b"y" * 4_000, 431),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\n", b"x-trailer: y\r\n" * 300, 431),
    "extension": (CHUNKED + b"5;", b"z" * 4_000, 431),
    "fast extension": (CHUNKED + b"5;", b"a=b;" * 10_000, 431),
    "extensions": (CHUNKED, b"1;" + b"e" * 4_000 + b"\r\nx\r\n", 431),
    "header": (GET + b"x-long: ", b"v" * 4_000, 431),
    "headers": (GET, b"x-many: 1\r\n" * 400, 431),
    "target": (b"GET /fn/web?", b"q" * 4_000, 414),
}
WHOLE = {
    "headers": (GET + b"x-many: 1\r\n" * 250 + b"\r\n", 431),
    "target": (b"GET /fn/web?" + b"q" * 17_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n", 414),
    "head": (GET + b"x-long: " + b"v" * 90_000 + b"\r\n\r\n", 431),
    "within": (GET + b"x-long: " + b"v" * 30_000 + b"\r\nconnection: close\r\n\r\n", 200),
}


async def test_no_part_of_a_request_goes_on_for_ever(gateway: Served) -> None:
    for name, (start, more, status) in ENDLESS.items():
        answer = await answered(gateway, start, more)

        # I expect it to have its answer, though it was still sending
        assert answer.status == status, name
        await gateway.until(lambda: gateway.server.listener.connections == 0)
        assert (await gateway.http("GET", "/fn/web")).status == 200


async def test_garbage_behind_a_request_that_is_being_answered_is_refused(
    gateway: Served, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a client whose request is with a worker, and that goes on with what is no request
    reader, writer = await asyncio.open_connection(*gateway.address())
    writer.write(GET.replace(b"/fn/web", gate.path.encode()) + b"\r\n")
    await gateway.until(lambda: gateway.server.engine.dispatcher.running == 1)
    writer.write(b"\0\xff no request\r\n\r\n" * 10_000)

    # I expect it to be told so, and the worker's answer to go nowhere
    data = await asyncio.wait_for(reader.read(), 120)
    assert parse(data).status == 400
    gate.open()
    await gateway.until(lambda: gateway.server.engine.dispatcher.running == 0)
    writer.close()
    await gateway.until(lambda: gateway.server.listener.connections == 0)
    assert [record for record in caplog.records if record.exc_info] == []
    assert (await gateway.http("GET", "/fn/web")).status == 200


@pytest.mark.parametrize("path", ["web", "event"])
@pytest.mark.parametrize("broken", [b"ZZ\r\n", b"5;" + b"e" * 40_000 + b"\r\n"], ids=["size", "extension"])
async def test_a_broken_body_that_was_to_be_asked_for_is_refused(
    gateway: Served, caplog: pytest.LogCaptureFixture, path: str, broken: bytes
) -> None:
    head = CHUNKED.replace(b"/fn/web", b"/fn/" + path.encode()).replace(
        b"host:", b"expect: 100-continue\r\nhost:"
    )

    # When its body comes with its head, I expect it to be refused, and nothing to go wrong
    answer = parse(await gateway.raw(head + broken))
    assert answer.status in (400, 431)
    assert (await gateway.http("GET", "/fn/web")).status == 200
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_request_in_one_piece_counts_as_well(gateway: Served) -> None:
    for name, (data, status) in WHOLE.items():
        assert parse(await gateway.raw(data)).status == status, name

    # ... and trailers within the limit are read, and no function sees them
    end = b"5;name=value\r\nhello\r\n0\r\nx-test: smuggled\r\n\r\n"
    answer = parse(await gateway.raw(CHUNKED.replace(b"host:", b"connection: close\r\nhost:") + end))
    assert answer.status == 200
    assert b"smuggled" not in answer.body


async def test_requests_without_end_wait_in_the_socket(gateway: Served, gate: Gate) -> None:
    # Given a client that sends thousands of requests behind one that takes a while
    reader, writer = await asyncio.open_connection(*gateway.address())
    one = b"GET /nowhere/%d HTTP/1.1\r\nhost: localhost\r\n\r\n"
    first = GET.replace(b"/fn/web", gate.path.encode()) + b"\r\n"
    writer.write(first + b"".join(one % number for number in range(5_000)))
    open_ones = gateway.server.listener.state.connections
    await gateway.until(lambda: any(len(connection.pipeline) for connection in open_ones))

    # I expect few of them to be looked at before it is answered, and all to be answered in their order
    assert all(len(connection.pipeline) < 500 for connection in open_ones)
    gate.open()
    writer.write(one.replace(b"%d", b"last").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    data = await asyncio.wait_for(reader.read(), 120)
    writer.close()
    found = [int(number) for number in re.findall(rb"/nowhere/(\d+)", data)]
    assert found == list(range(5_000))
    assert data.count(b"HTTP/1.1 404") == 5_001


SOURCE = """
def web(request):
    return str(len(request.get_data()))
"""
FUNCTIONS = '[functions.web]\nsource = "."\nhandler = "app:web"\nkind = "http"\nmax_workers = 1\n'


async def test_idle_connections_and_half_sent_bodies_lock_nobody_out(tmp_path: Path) -> None:
    # Given a server for few connections and little memory
    app = write_app(tmp_path / "app", SOURCE, FUNCTIONS)
    limits = {"connection_limit": 6, "bodies_limit_bytes": 1_048_576}
    async with served(tmp_path / "home", **limits) as server:
        await server.deploy(app)

        # When more clients than that connect and stay, some after a request, some without any
        idle = []
        for number in range(20):
            reader, writer = await asyncio.open_connection(*server.address())
            idle.append(writer)
            if number % 2:
                writer.write(GET + b"\r\n")
                assert b"200" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 120)

        # I expect further requests to be answered all the same, and none to be turned away
        for _ in range(5):
            assert (await server.http("GET", "/fn/web")).status == 200
        assert server.server.listener.refused == 0
        assert server.server.listener.closed_idle >= 14
        for writer in idle:
            writer.close()

        # When two clients have sent most of a large body each
        chunk = b"%x\r\n" % 500_000 + b"x" * 500_000 + b"\r\n"
        first = await asyncio.open_connection(*server.address())
        second = await asyncio.open_connection(*server.address())
        budget = server.server.gateway.bodies
        for _, writer in (first, second):
            writer.write(CHUNKED + chunk)
        await server.until(lambda: budget.held_bytes == 1_000_000)

        # I expect a third one to be told to wait, and those two to be answered, which gives all back
        refused = await server.http("POST", "/fn/web", b"x" * 100_000)
        assert (refused.status, refused.error["type"]) == (503, "BodiesFull")
        for reader, writer in (first, second):
            writer.write(b"0\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(65_536), 120)
            assert answer.endswith(b"500000")
            writer.close()
        await server.until(lambda: budget.held_bytes == 0)


_LISTENS = "0A"  # of the states in /proc/net/tcp
FLOOD = """
def parts():
    while True:
        yield "x" * 100_000

def web(request):
    return parts() if request.path == "/flood" else "small"
"""


async def test_clients_that_do_not_read_are_no_more_than_the_limit(tmp_path: Path) -> None:
    # Given a server for few connections
    app = write_app(tmp_path / "app", FLOOD, FUNCTIONS.replace("max_workers = 1", "max_workers = 4"))
    async with served(tmp_path / "home", connection_limit=3, body_timeout_s=1.0) as server:
        await server.deploy(app)
        assert (await server.http("GET", "/fn/web/")).status == 200
        (_, port), state, clients = server.address(), server.server.listener.state, []

        # When many clients read nothing of an answer without end, and go on with what is no request
        for _ in range(12):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.connect(server.address())
            clients.append(sock)
            with contextlib.suppress(ConnectionError):  # it is refused
                sock.sendall(GET.replace(b"/fn/web", b"/fn/web/flood") + b"\r\n")
            if len(clients) <= 3:
                await server.until(lambda: len(state.connections) == len(clients))
                await server.until(
                    lambda: all(one.transport.get_write_buffer_size() for one in state.connections)
                )
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"\0\xff no request\r\n\r\n")

        # I expect the server to keep no more of them than it may, to give all back, and others to be answered
        await server.until(lambda: _ends(port) <= 3)
        await server.until(lambda: _ends(port) == 0)
        await server.until(lambda: server.server.engine.dispatcher.running == 0)
        assert (await server.http("GET", "/fn/web/")).status == 200
        for sock in clients:
            sock.close()


def _ends(port: int) -> int:
    """How many connections to this port have an end that a process holds, beside those that connected."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] != _LISTENS and row[9] != "0" for row in rows)
