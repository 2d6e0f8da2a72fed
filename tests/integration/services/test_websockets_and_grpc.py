"""Websockets and gRPC with real workers: one server with a service of each, for all tests here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
import websockets
from free_ports import free_port
from patience import PATIENCE_S
from relive_base.errors import ReliveError
from relive_tracer.explore.span_sums import rpc_methods
from relive_views.profiles.why_slow import why_slow
from server_harness import Served, served, write_app
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")
connect = partial(websockets.connect, open_timeout=PATIENCE_S, ping_interval=None)

ECHO = """
import asyncio, os

async def lifespan(receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        return await send({"type": "http.response.body", "body": b"plain"})
    await receive()
    if scope["path"].endswith("/never"):
        await asyncio.sleep(600)
    where = f"{scope['scheme']} {scope['path']} {scope['query_string'].decode()} {scope['subprotocols']}"
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
    while (event := await receive())["type"] == "websocket.receive":
        text = event.get("text")
        print("came", text)
        if text == "where":
            text = where
        if text == "pid":
            text = str(os.getpid())
        if text == "boom":
            room = "blue"
            raise KeyError(room)
        await send({"type": "websocket.send", "text": text})
"""
RPC = """
import asyncio, logging, os
import grpc, grpc.aio
from opentelemetry import trace

async def say(request, context):
    print("said", request.decode())
    if request == b"pid":
        return str(os.getpid()).encode()
    if request == b"trace":
        return format(trace.get_current_span().get_span_context().trace_id, "032x").encode()
    if request == b"boom":
        country = "atlantis"
        raise KeyError(country)
    if request == b"missing":
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    if request == b"broken":
        await context.abort(grpc.StatusCode.INTERNAL, "it broke")
    if request == b"slow":
        await asyncio.sleep(600)
    if request in (b"away", b"lost"):
        context.set_code(grpc.StatusCode.UNAVAILABLE)
        context.set_details("come back later")
    if request == b"lost":
        raise LookupError("lost")
    return request

def shout(request, context):
    logging.warning("in a thread")
    if request == b"wrong":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not that")
    return request.upper()

async def count(request, context):
    for number in range(int(request)):
        yield b"%d" % number

def letters(request, context):
    for letter in request.decode():
        yield letter.encode()

async def total(requests, context):
    return b"%d" % sum([len(one) async for one in requests])

async def chat(requests, context):
    async for one in requests:
        await context.write(b"re " + one)

async def serve():
    server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(say),
        "Read": grpc.unary_unary_rpc_method_handler(say, request_deserializer=int),
        "Write": grpc.unary_unary_rpc_method_handler(say, response_serializer=int),
        "Shout": grpc.unary_unary_rpc_method_handler(shout),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Letters": grpc.unary_stream_rpc_method_handler(letters),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Echo", handlers),))
    server.add_insecure_port("[::]:50051")
    await server.start()
    await server.wait_for_termination()
    print("the server has stopped")
"""
FUNCTIONS = """
[functions.echo]
kind = "service"
app = "echo:app"
max_workers = 1
capacity = 1
websockets = 3
timeout_s = 5
[functions.rpc]
kind = "grpc"
handler = "rpc:serve"
max_workers = 2
timeout_s = 5
memory_mb = 512
dependencies = ["grpcio=={version}"]
[[functions.rpc.triggers]]
type = "grpc"
port = {port}
[[functions.rpc.triggers]]
type = "grpc"
"""


ROW = "SELECT Status, ErrorType, ErrorFunction, HasScene, Logs FROM invocations"
METHOD, STATUS = "t.SpanAttributes['rpc.method']", "t.SpanAttributes['rpc.grpc.status_code']"
CALLS = """
SELECT i.Status, i.ErrorType, i.ErrorFunction, i.HasScene, i.Logs, t.ParentSpanId, t.TraceId
FROM invocations i JOIN otel_traces t ON t.SpanId = i.TriggerSpanId WHERE t.SpanKind = 'Server'
"""
SPAN = """
SELECT StatusCode, SpanAttributes['error.type'], SpanAttributes['rpc.response.status_code']
FROM otel_traces WHERE SpanKind = 'Server'
"""


class Duplex:
    """The server, and ways to its two services."""

    def __init__(self, served: Served, folder: Path, port: int) -> None:
        self.served, self.folder, self.port = served, folder, port
        self.url = served.server.http_address.replace("http:", "ws:") + "/fn/echo"
        self.versions = 0

    async def deploy(self) -> None:
        """A version of its own."""
        self.versions += 1
        functions = FUNCTIONS.replace("{version}", version("grpcio")).replace("{port}", str(self.port))
        app = write_app(self.folder, "", functions)
        for name, source in (("echo", ECHO), ("rpc", RPC)):
            (app / f"{name}.py").write_text(f"{source}\n# {self.versions}\n")
        await self.served.deploy(app)

    async def row(self, ident: str) -> tuple[Any, ...]:
        """What was recorded of an invocation."""
        return (await self.rows(f"{ROW} WHERE InvocationId = '{ident}'", 1))[0]

    async def calls(self, method: str, status: int, count: int = 1) -> list[tuple[Any, ...]]:
        """Those of a method that have ended with a status, once there are so many: a client may hear of its
        call's end before the server does."""
        return await self.rows(f"{CALLS} AND {METHOD} = '{method}' AND {STATUS} = '{status}'", count)

    async def rows(self, sql: str, count: int) -> list[tuple[Any, ...]]:
        """At least so many."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := await self.served.rows(sql)) < count:  # noqa: ASYNC110 - in the store
                await asyncio.sleep(0.02)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def duplex(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Duplex]:
    folder = tmp_path_factory.mktemp("duplex")
    async with served(folder / "home") as running:
        limits = running.server.gateway.websockets
        limits.limits = replace(limits.limits, drain_s=0.5)
        found = Duplex(running, folder / "app", free_port())
        await found.deploy()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def channel(duplex: Duplex) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{duplex.port}") as channel:
        yield channel


async def say(channel: grpc.aio.Channel, text: bytes, method: str = "Say", **more: Any) -> bytes:
    call = channel.unary_unary(f"/shop.Echo/{method}")
    answer: bytes = await call(text, timeout=more.pop("timeout", PATIENCE_S), wait_for_ready=True, **more)
    return answer


# ---------------------------------------------------------------- websockets


async def test_a_websocket_is_an_attempt_with_logs_and_the_request_in_its_scope(duplex: Duplex) -> None:
    """When a client opens a websocket and says things, I expect echoes, its request in the scope, and one
    invocation with a line for each message."""
    url = f"{duplex.url}/rooms/blue?x=1"
    async with connect(url, subprotocols=["chat"]) as client:
        assert client.subprotocol == "chat"
        await client.send("where")
        assert await client.recv() == "ws /fn/echo/rooms/blue x=1 ['chat']"
        await client.send("grüße")
        assert await client.recv() == "grüße"
        assert client.response is not None
        ident = client.response.headers["x-relive-invocation-id"]
    assert await duplex.row(ident) == ("ok", "", "", 0, 2)
    assert (await duplex.served.http("GET", "/fn/echo/")).body == b"plain"


async def test_a_failure_leaves_a_scene_and_1011_while_others_go_on(duplex: Duplex) -> None:
    """Given two websockets in one worker, when one fails, I expect 1011 and a scene for it, and the other to
    go on; when the worker is killed, a crash with 1011 for that."""
    async with connect(duplex.url) as first, connect(duplex.url) as second:
        idents = [one.response.headers["x-relive-invocation-id"] for one in (first, second)]  # type: ignore[union-attr]
        await first.send("boom")
        with pytest.raises(ConnectionClosed):
            await first.recv()
        assert first.close_code == 1011
        await second.send("pid")
        os.kill(int(await second.recv()), signal.SIGKILL)
        with pytest.raises(ConnectionClosed):
            await second.recv()
        assert second.close_code == 1011
    assert (await duplex.row(idents[0]))[:4] == ("error", "KeyError", "app", 1)
    assert (await duplex.row(idents[1]))[:2] == ("crash", "WorkerKilled")


async def test_the_time_limit_is_that_of_the_handshake(duplex: Duplex) -> None:
    """When an application does not accept in time, I expect 504; a websocket that is open has no limit."""
    async with connect(duplex.url) as client:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{duplex.url}/never")
        assert caught.value.response.status_code == 504
        await asyncio.sleep(0.5)  # the limit of the first one is over as well
        await client.send("still here")
        assert await client.recv() == "still here"


async def test_idle_websockets_leave_requests_their_places(duplex: Duplex) -> None:
    """Given a worker for one request and three websockets, when three are open, I expect a request to be
    served beside them, and a fourth handshake to get 503 with the time to come again."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(connect(duplex.url))
        assert (await duplex.served.http("GET", "/fn/echo/")).body == b"plain"
        with pytest.raises(InvalidStatus) as caught:
            await connect(duplex.url)
        response = caught.value.response
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert b"TooManyWebsockets" in response.body


# ---------------------------------------------------------------- gRPC


async def test_all_kinds_of_calls_are_served_and_recorded(duplex: Duplex, channel: grpc.aio.Channel) -> None:
    """When clients make unary calls and streams of each kind, with coroutines, generators and plain
    functions, I expect their answers, and an invocation for each, below the client's trace."""
    parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    assert await say(channel, b"trace", metadata=(("traceparent", parent),)) == b"ab" * 16
    assert await say(channel, b"hello", "Shout") == b"HELLO"
    assert [one async for one in channel.unary_stream("/shop.Echo/Count")(b"3")] == [b"0", b"1", b"2"]
    assert [one async for one in channel.unary_stream("/shop.Echo/Letters")(b"ab")] == [b"a", b"b"]
    assert await channel.stream_unary("/shop.Echo/Total")(iter([b"aaa", b"bb"])) == b"5"
    assert [one async for one in channel.stream_stream("/shop.Echo/Chat")(iter([b"a"]))] == [b"re a"]
    for method, logs in (("Shout", 1), ("Count", 0), ("Letters", 0), ("Total", 0), ("Chat", 0)):
        assert [row[:5] for row in await duplex.calls(method, 0)] == [("ok", "", "", 0, logs)]
    assert ("ok", "", "", 0, 1, "cd" * 8, "ab" * 16) in await duplex.calls("Say", 0)

    # I expect a slow one to be compared with others of its method only
    store = duplex.served.server.store
    loop = asyncio.get_running_loop()
    query = "SELECT DISTINCT InvocationId FROM invocations WHERE Trigger = 'grpc'"
    ids = [str(row[0]) for row in await duplex.rows(query, 6)]
    methods = await loop.run_in_executor(None, rpc_methods, store, ids, 0, 0)
    assert set(methods) == set(ids)
    shout = next(ident for ident, method in methods.items() if method == "shop.Echo/Shout")
    view = await loop.run_in_executor(None, why_slow, store, shout)
    assert view.answer.normal.count == list(methods.values()).count("shop.Echo/Shout") - 1


async def test_a_service_is_reached_at_the_port_of_http_too(duplex: Duplex) -> None:
    """Given a grpc trigger without a port, when a client calls the gateway's own address, I expect its
    answer, also if the first bytes come apart, and requests of HTTP/1.1 to be answered there as ever."""
    address = duplex.served.address()
    async with grpc.aio.insecure_channel("{}:{}".format(*address)) as channel:
        assert await say(channel, b"by the other door") == b"by the other door"
        assert (await duplex.served.http("GET", "/fn/echo/")).body == b"plain"
        assert await say(channel, b"again") == b"again"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    request = b"POST /fn/echo/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    for begin, rest, answer in (
        (preface[:7], preface[7:] + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)), b"\x04\x00\x00\x00\x00\x00"),
        (request[:1], request[1:], b"200 OK"),
    ):
        reader, writer = await asyncio.open_connection(*address)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer.write(begin)
        await asyncio.sleep(0.05)
        writer.write(rest)
        async with asyncio.timeout(PATIENCE_S):
            assert answer in await reader.read(64)
        writer.close()


async def test_failures_have_their_status_and_a_scene(duplex: Duplex, channel: grpc.aio.Channel) -> None:
    """When a handler raises, aborts with a status of the server's, or is too slow, I expect a failure with a
    scene; a status that is the client's own doing is none."""
    expected = {
        b"boom": (grpc.StatusCode.UNKNOWN, "error", "KeyError", "say", 1),
        b"broken": (grpc.StatusCode.INTERNAL, "error", "RpcFailed", "say", 1),
        b"missing": (grpc.StatusCode.NOT_FOUND, "ok", "", "", 0),
    }
    for text, (code, *row) in expected.items():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(channel, text)
        assert caught.value.code() == code
        assert [list(one[:4]) for one in await duplex.calls("Say", code.value[0])] == [row]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(channel, b"wrong", "Shout")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [one[0] for one in await duplex.calls("Shout", 3)] == ["ok"]


async def test_what_the_server_is_at_fault_for_fails_however_it_was_said(
    duplex: Duplex, channel: grpc.aio.Channel
) -> None:
    """When nobody serves a method, a handler sets a status, or raises with one, or its message cannot be read
    or written, I expect the client's status in the record, and a failure: UNIMPLEMENTED also is the type
    of the server's span."""
    wrong = [
        ("No", b"", 12),
        ("Say", b"away", 14),
        ("Say", b"lost", 14),
        ("Read", b"a", 2),
        ("Write", b"a", 2),
    ]
    for method, text, code in wrong:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(channel, text, method)
        assert caught.value.code().value[0] == code
    found = {
        method: await duplex.calls(method, code) for method, code in (("No", 12), ("Read", 2), ("Write", 2))
    }
    errors = {method: [row[:2] for row in rows] for method, rows in found.items()}
    assert errors["No"] == [("error", "RpcFailed")]
    assert errors["Read"] == errors["Write"] == [("error", "ValueError")]
    away = await duplex.calls("Say", 14, 2)
    assert sorted(row[1] for row in away) == ["LookupError", "RpcFailed"]
    assert {row[0] for row in away} == {"error"}
    trace_id = found["No"][0][6]
    assert await duplex.rows(f"{SPAN} AND TraceId = '{trace_id}'", 1) == [
        ("Error", "UNIMPLEMENTED", "UNIMPLEMENTED")
    ]


async def test_deadlines_of_the_function_and_of_the_client(duplex: Duplex, channel: grpc.aio.Channel) -> None:
    """When a call takes longer than the function or its client allows, I expect DEADLINE_EXCEEDED, a time-out
    with a scene of where it waited for both; a client that cancels is no failure."""
    for limit in (PATIENCE_S, 2.0):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(channel, b"slow", timeout=limit)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    found = await duplex.calls("Say", 4, 2)
    assert [one[:4] for one in found] == [("timeout", "Timeout", "say", 1)] * 2
    dispatcher = duplex.served.server.engine.dispatcher
    await duplex.served.until(lambda: not dispatcher.running)
    call = channel.unary_unary("/shop.Echo/Say")(b"slow")
    await duplex.served.until(lambda: dispatcher.running)
    call.cancel()
    assert [one[:2] for one in await duplex.calls("Say", 1)] == [("ok", "")]


async def test_a_server_with_threads_is_refused_with_a_hint(duplex: Duplex, tmp_path: Path) -> None:
    """When a handler makes a server of the kind that has threads, or none, I expect the deploy to say what to
    write instead."""
    table = '[functions.{}]\nkind = "grpc"\nhandler = "app:{}"\ndependencies = ["grpcio=={}"]\n'
    source = "import grpc\ndef threads():\n    grpc.server(None).start()\ndef nothing():\n    pass\n"
    for name, hint in (("threads", "grpc.aio.server()"), ("nothing", "async def serve()")):
        app = write_app(tmp_path / name, source, table.format(name, name, version("grpcio")))
        with pytest.raises(ReliveError) as caught:
            await duplex.served.deploy(app)
        assert hint in str(caught.value)


async def test_a_redeploy_fails_no_call(duplex: Duplex) -> None:
    """While clients call without pause and hold websockets open, when a new version is deployed, I expect not
    one call to fail, the websockets closed with 1001, and the old workers gone."""
    stop = False
    made = failed = 0

    async def hammer() -> None:
        nonlocal made, failed
        async with grpc.aio.insecure_channel(f"127.0.0.1:{duplex.port}") as channel:
            while not stop:
                try:
                    await say(channel, b"x")
                    made += 1
                except grpc.aio.AioRpcError:
                    failed += 1

    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{duplex.port}") as channel,
        connect(duplex.url) as client,
    ):
        before = int(await say(channel, b"pid"))
        hammers = [asyncio.create_task(hammer()) for _ in range(3)]
        await duplex.deploy()
        await client.wait_closed()
        assert client.close_code == 1001
        async with asyncio.timeout(PATIENCE_S):
            while int(await say(channel, b"pid")) == before or os.path.exists(f"/proc/{before}"):  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.05)
        await duplex.served.until(lambda: made > 20)  # a busy machine may have had no time for them
        stop = True
        await asyncio.gather(*hammers)
    assert failed == 0


async def test_what_does_not_speak_grpc_or_floods_is_closed(
    duplex: Duplex, channel: grpc.aio.Channel
) -> None:
    """When a browser connects, or a client resets streams as fast as it can, I expect its connection closed,
    the flood with the reason, and the service to go on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", duplex.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert await reader.read() == b""
    reader, writer = await asyncio.open_connection("127.0.0.1", duplex.port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
    reset = bytes((0, 0, 4, 3, 0)) + (1).to_bytes(4, "big") + bytes((0, 0, 0, 8))
    writer.write(reset * 3_000)
    assert b"more resets of calls than 1000 at once" in await reader.read()
    assert await say(channel, b"still here") == b"still here"


async def test_the_port_of_a_worker_serves_nobody_but_the_platform(
    duplex: Duplex, channel: grpc.aio.Channel
) -> None:
    """When somebody on this machine connects to the worker's own port, past the gateway, I expect
    PERMISSION_DENIED before any handler runs, of each kind, and the service's own port to serve."""
    before = await say(channel, b"pid")
    pools = duplex.served.server.engine.dispatcher.pools

    def ports() -> set[int]:
        """Of workers with a connection; that of the test before may not have ended yet."""
        return {worker.ready.wire for worker in pools["rpc"].live() if worker.ready and worker.wires}

    await duplex.served.until(lambda: len(ports()) == 1)
    [port] = ports()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as stranger:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(stranger, b"boom")
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(stranger, b"boom", "Shout")
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [one async for one in stranger.unary_stream("/shop.Echo/Count")(b"3")]
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert await say(channel, b"pid") == before
    assert [row[:2] for row in await duplex.calls("Say", 7)] == [("ok", "")]
