"""Answers that are sent as the function's iterator gives them."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from relive_platform.engine.invocation import InvokeRequest
from server_harness import Served, parse, served, write_app

SOURCE = """
import os, pathlib, time
from werkzeug.wrappers import Response

def wait_for(name):
    while not os.path.exists(os.path.join(os.environ["HERE"], name)):
        time.sleep(0.005)

def note(name, text=""):
    pathlib.Path(os.environ["HERE"], name).write_text(text)

def parts():
    yield "data: 1\\n\\n"
    wait_for("go")
    yield b"data: 2\\n\\n"

def plain(request):
    return parts()

def sse(request):
    return Response(parts(), mimetype="text/event-stream", headers={"x-own": "1"})

def made(request):
    return (part for part in ("a", "", b"b")), 201, {"x-own": "2", "content-type": "text/plain"}

async def later(request):
    async def each():
        yield "a"
        yield "b"
    return each()

def early(request):
    def broken():
        raise ValueError("before the first part")
        yield "x"
    return broken()

def breaks(request):
    def broken():
        yield "a"
        raise ValueError("in the middle")
    return broken()

def lies(request):
    return Response((part for part in ("abc", "def")), headers={"content-length": "10"})

def measured(request):
    return Response((part for part in ("abc", "def")), headers={"content-length": "6"})

def endless(request):
    def tick():
        try:
            while True:
                yield "tick"
                time.sleep(0.005)
        finally:
            note("closed")
    return tick()

def large(request):
    def blocks():
        for number in range(320):
            note("made", str(number))
            yield b"x" * 65_536
    return blocks()

def odd(request):
    return iter([1])
"""
NAMES = ("plain", "sse", "made", "later", "early", "breaks", "lies", "measured", "endless", "large", "odd")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    here = tmp_path / "here"
    here.mkdir()
    functions = "".join(
        f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\nkind = "http"\nmax_workers = 1\n'
        f'timeout_s = 60\nisolation_tier = 0\nenvironment = {{ HERE = "{here}" }}\n'
        for name in NAMES
    )
    app = write_app(tmp_path / "app", SOURCE, functions)
    async with served(tmp_path / "home", stream_limit_bytes=24_000_000, body_timeout_s=30.0) as running:
        await running.deploy(app)
        yield running


def whole(data: bytes) -> tuple[bytes, bool]:
    """The body of a chunked response, and whether it has its end."""
    rest = io.BytesIO(data)
    rest.seek(data.find(b"\r\n\r\n") + 4)
    parts = []
    while line := rest.readline():
        if not (size := int(line, 16)):
            return b"".join(parts), True
        parts.append(rest.read(size))
        rest.seek(2, io.SEEK_CUR)
    return b"".join(parts), False


def get(name: str, more: bytes = b"connection: close\r\n", version: bytes = b"1.1") -> bytes:
    return b"GET /fn/%s/ HTTP/%s\r\nhost: localhost\r\n%s\r\n" % (name.encode(), version, more)


async def test_each_part_is_sent_as_it_comes(server: Served, tmp_path: Path) -> None:
    for name in ("plain", "sse"):
        # Given a function whose second part waits for the test
        (tmp_path / "here" / "go").unlink(missing_ok=True)
        reader, writer = await asyncio.open_connection(*server.address())
        writer.write(get(name, b""))

        # When the first has come
        data = await asyncio.wait_for(reader.readuntil(b"data: 1\n\n\r\n"), 120)
        (tmp_path / "here" / "go").touch()

        # I expect the second and a clean end, on a connection that stays open
        data += await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 120)
        writer.write(get("made"))
        after = await asyncio.wait_for(reader.read(), 120)
        writer.close()
        answer = parse(data)
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in answer.headers
        assert whole(data) == (b"data: 1\n\ndata: 2\n\n", True)
        assert b" 201 " in after

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-own"] == "1"
    rows = await server.rows("SELECT Status, HttpStatus, ResultBytes FROM invocations WHERE Function = 'sse'")
    assert rows == [("ok", 200, 18)]


async def test_every_sort_of_iterator_and_of_client(server: Served) -> None:
    made = await server.raw(get("made"))
    later = await server.raw(get("later"))
    old = await server.raw(get("made", b"", b"1.0"))
    head = await server.raw(get("made").replace(b"GET", b"HEAD"))
    measured = await server.raw(get("measured"))
    called = await server.server.invoke(InvokeRequest(function="made"))

    assert parse(made).status == 201
    assert (parse(made).headers["x-own"], whole(made)) == ("2", (b"ab", True))
    assert whole(later) == (b"ab", True)
    assert (parse(old).body, parse(old).headers["connection"]) == (b"ab", "close")
    assert "transfer-encoding" not in parse(old).headers
    assert (parse(head).status, parse(head).body) == (201, b"")
    assert (parse(measured).headers["content-length"], parse(measured).body) == ("6", b"abcdef")
    # ... and whoever cannot take parts gets all of it at once
    assert called.body == b"ab"


async def test_a_failure_in_the_middle_is_no_clean_end_and_leaves_a_scene(server: Served) -> None:
    early, breaks = await server.raw(get("early")), await server.raw(get("breaks", b""))
    lies, odd = await server.raw(get("lies", b"")), await server.raw(get("odd"))

    # I expect an answer as usual where nothing was sent yet
    assert (parse(early).status, parse(early).error["type"]) == (500, "ValueError")
    assert parse(odd).status == 502
    # ... and a connection that ends without the end of the answer where something was
    assert parse(breaks).status == 200
    assert whole(breaks) == (b"a", False)
    assert (parse(lies).headers["content-length"], len(parse(lies).body)) == ("10", 6)
    rows = await server.rows(
        "SELECT Function, Status, ErrorType, HttpStatus, HasScene FROM invocations ORDER BY Function"
    )
    assert rows == [
        ("breaks", "error", "ValueError", 200, 1),
        ("early", "error", "ValueError", 500, 1),
        ("lies", "error", "BadResult", 200, 1),
        ("odd", "error", "BadResult", 502, 1),
    ]
    # ... and the server's span to be an error in each case, whatever status was sent
    spans = await server.rows(
        "SELECT ServiceName, StatusCode, SpanAttributes['error.type'] FROM otel_traces"
        " WHERE SpanKind = 'Server' ORDER BY ServiceName"
    )
    assert spans == [(function, "Error", error) for function, _, error, _, _ in rows]


async def test_a_client_that_leaves_ends_the_function(server: Served, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_connection(*server.address())
    writer.write(get("endless"))
    await asyncio.wait_for(reader.readuntil(b"tick"), 120)

    writer.close()

    await server.until(lambda: (tmp_path / "here" / "closed").exists(), 120)
    await server.until(lambda: server.server.engine.dispatcher.running == 0, 120)
    rows = await server.rows("SELECT Status, HasScene FROM invocations")
    assert rows == [("ok", 0)]
    said = await server.rows(
        "SELECT SpanAttributes['relive.client_disconnected'] FROM otel_traces WHERE SpanKind = 'Server'"
    )
    assert said == [("true",)]


async def test_a_slow_client_slows_the_function_down(server: Served, tmp_path: Path) -> None:
    # Given a client that asks for 20 MB and does not read
    sock = socket.create_connection(server.address())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    sock.sendall(get("large"))
    open_ones = server.server.listener.state.connections
    await server.until(
        lambda: [one for one in open_ones if one.flow is not None and one.flow.write_paused], 120
    )
    (connection,) = open_ones

    # I expect the function to wait for it, and the gateway to hold little
    made = tmp_path / "here" / "made"
    assert connection.transport.get_write_buffer_size() < 1_000_000
    assert int(made.read_text() or 0) < 300

    # ... and all of it to arrive once it reads
    def read() -> bytes:
        return b"".join(iter(lambda: sock.recv(1 << 20), b""))

    body, ended = whole(await asyncio.to_thread(read))
    sock.close()
    assert (len(body), ended) == (320 * 65_536, True)
