"""Websockets between real clients and applications: codes, limits, pings, credit both ways."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest
import websockets
from local_sockets import LocalSockets, echo, local_sockets
from patience import PATIENCE_S
from relive_base.wire.messages import WINDOW_BYTES
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import BINARY, CONT, PING, TEXT, Frame

PLAIN = {"compression": None, "ping_interval": None, "max_size": None, "open_timeout": PATIENCE_S}


async def until(condition: Any) -> None:
    """Wait for it."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - of many kinds
            await asyncio.sleep(0.005)


def upgrade(path: str = "/fn/echo/", *lines: str, version: str = "13") -> bytes:
    """A handshake as a client writes it."""
    head = [
        f"GET {path} HTTP/1.1", "host: localhost", "connection: keep-alive, Upgrade", "upgrade: WebSocket",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", f"sec-websocket-version: {version}", *lines,
    ]  # fmt: skip
    return "\r\n".join([*head, "", ""]).encode()


async def raw(url: str, data: bytes) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    """Send it; the head of the answer."""
    host, _, port = url.removeprefix("ws://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    return await reader.readuntil(b"\r\n\r\n"), reader, writer


def of(serving: LocalSockets) -> dict[str, str]:
    """What the newest attempt's span says."""
    return serving.outcomes[-1].record.attributes


async def test_messages_go_both_ways_and_are_counted() -> None:
    """Given an application that echoes, when a client sends text, bytes and a large message in fragments, I
    expect each back as it was, and the record to count them."""
    async with local_sockets({"echo": echo}) as (url, serving, gateway):
        async with websockets.connect(f"{url}/fn/echo/room?x=1") as client:
            assert client.response is not None
            assert "x-relive-invocation-id" in client.response.headers
            await client.send("grüße")
            assert await client.recv() == "grüße"
            await client.send(b"\0\xff")
            assert await client.recv() == b"\0\xff"
            await client.send(iter(["a" * 70_000, "b" * 70_000]))
            assert await client.recv() == "a" * 70_000 + "b" * 70_000
        await until(lambda: serving.outcomes)
        record = serving.outcomes[0].record
        assert record.http_status == 101
        assert record.attributes == {
            "network.protocol.name": "websocket",
            "relive.websocket.messages_received": "3",
            "relive.websocket.messages_sent": "3",
            "relive.websocket.received_bytes": str(7 + 2 + 140_000),
            "relive.websocket.sent_bytes": str(7 + 2 + 140_000),
            "relive.websocket.close_code": "1000",
            "relive.websocket.closed_by": "client",
        }
        assert not gateway.websockets.open
        assert not gateway.bodies.held_bytes


async def test_an_application_accepts_with_headers_and_a_subprotocol_and_closes_with_its_code() -> None:
    """When an application accepts with a subprotocol and a header, and closes with a code, I expect the
    client to get them; a header that would split the answer closes it as a failure."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"x-room", b"blue"), (b"sec-websocket-accept", b"forged")]
        await send({"type": "websocket.accept", "subprotocol": "chat.v2", "headers": headers})
        await send({"type": "websocket.close", "code": 4123, "reason": "full"})
        assert (await receive())["code"] == 4123

    async def evil(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", "headers": [(b"x-evil", b"a\r\nset-cookie: b")]})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with local_sockets({"app": app, "evil": evil}) as (url, serving, _):
        async with websockets.connect(f"{url}/fn/app/", subprotocols=["chat.v1", "chat.v2"]) as client:
            assert client.subprotocol == "chat.v2"
            assert client.response is not None
            assert client.response.headers["x-room"] == "blue"
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == (4123, "full")
        await until(lambda: serving.outcomes)
        assert of(serving)["relive.websocket.closed_by"] == "server"
        with pytest.raises(InvalidStatus):
            await websockets.connect(f"{url}/fn/evil/")


async def test_what_does_not_become_a_websocket_is_an_http_answer() -> None:
    """When an application closes before it accepts, answers the handshake itself, raises, or returns without
    a word, I expect 403, its answer, 500 and 500."""

    async def closes(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.close"})

    async def denies(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/plain"), (b"retry-after", b"7")]
        await send({"type": "websocket.http.response.start", "status": 429, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"slow ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"down"})

    async def raises(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("no such room")

    async def returns(_scope: Any, _receive: Any, _send: Any) -> None:
        pass

    apps = {"closes": closes, "denies": denies, "raises": raises, "returns": returns}
    async with local_sockets(apps) as (url, serving, gateway):
        found = {}
        for name in apps:
            with pytest.raises(InvalidStatus) as caught:
                await websockets.connect(f"{url}/fn/{name}/")
            found[name] = caught.value.response
        assert {name: answer.status_code for name, answer in found.items()} == {
            "closes": 403, "denies": 429, "raises": 500, "returns": 500,
        }  # fmt: skip
        assert found["denies"].body == b"slow down"
        assert found["denies"].headers["retry-after"] == "7"
        assert serving.outcomes[-1].record.status == "error"
        await until(lambda: not gateway.websockets.open)


async def test_a_handshake_that_is_none_is_refused_before_any_application() -> None:
    """When the version, the key or the method is wrong, a page of another site asks, or too many are open, I
    expect the answer that says so, and no attempt."""
    async with local_sockets({"echo": echo}, per_function=1) as (url, serving, _):
        head, *_ = await raw(url, upgrade(version="8"))
        assert head.startswith(b"HTTP/1.1 426 ")
        assert b"sec-websocket-version: 13" in head
        head, *_ = await raw(url, upgrade().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"))
        assert head.startswith(b"HTTP/1.1 400 ")
        head, *_ = await raw(url, upgrade("/fn/echo/", "origin: https://evil.example"))
        assert head.startswith(b"HTTP/1.1 403 ")
        head, *_ = await raw(url, upgrade().replace(b"localhost", b"evil.example"))
        assert head.startswith(b"HTTP/1.1 403 ")
        assert not serving.outcomes
        assert not serving.tasks
        async with websockets.connect(f"{url}/fn/echo/", **PLAIN):
            with pytest.raises(InvalidStatus) as caught:
                await websockets.connect(f"{url}/fn/echo/")
            assert caught.value.response.status_code == 503
        await until(lambda: serving.outcomes)
        async with websockets.connect(f"{url}/fn/echo/", **PLAIN):
            pass


async def test_a_client_that_breaks_the_rules_is_told_which() -> None:
    """When a client sends a message that is too large, text that is not UTF-8, or a frame without a mask, I
    expect 1009, 1007 and 1002, and the application to hear the same code."""
    codes: list[int] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            pass
        codes.append(event["code"])

    async with local_sockets({"app": app}, message_bytes=1_000, fragments=5) as (url, serving, _):
        for data in ("x" * 1_001, iter(["x" * 600, "x" * 600])):
            async with websockets.connect(f"{url}/fn/app/", **PLAIN) as client:
                with contextlib.suppress(ConnectionClosed):
                    await client.send(data)
                await client.wait_closed()
                assert client.close_code == 1009
        for frames, code in (
            ([Frame(TEXT, b"\xc3(")], 1007),
            ([Frame(TEXT, b"x", fin=False), Frame(TEXT, b"y")], 1002),
            ([Frame(BINARY, b"x", fin=False), *[Frame(CONT, b"", fin=False)] * 9], 1008),
        ):
            async with websockets.connect(f"{url}/fn/app/", **PLAIN) as client:
                for frame in frames:
                    client.transport.write(frame.serialize(mask=True))
                await client.wait_closed()
                assert client.close_code == code
        _, reader, writer = await raw(url, upgrade("/fn/app/"))
        writer.write(Frame(TEXT, b"plain").serialize(mask=False))
        assert (await reader.read())[:4] == b"\x88" + bytes((len(b"incorrect masking") + 2,)) + b"\x03\xea"
        await until(lambda: len(serving.outcomes) == 6)
        assert codes == [1009, 1009, 1007, 1002, 1008, 1002]


async def test_half_open_idle_and_replaced_websockets_are_closed() -> None:
    """When a client does not answer a ping, is idle for too long, or its version is replaced, I expect it to
    be closed, with 1001 if it is there, and the application to hear of it."""
    codes: list[int] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            pass
        codes.append(event["code"])

    short = {"sweep_s": 0.01, "drain_s": 0.05}
    async with local_sockets({"app": app}, ping_s=0.05, pong_s=0.05, **short) as (url, serving, _):
        _, reader, _ = await raw(url, upgrade("/fn/app/"))
        assert await reader.read() == b"\x89\x06relive"  # its ping, and the end
        await until(lambda: serving.outcomes)
        assert of(serving)["relive.websocket.ping_unanswered"] == "true"
    async with (
        local_sockets({"app": app}, ping_s=0.05, **short) as (url, serving, gateway),
        websockets.connect(f"{url}/fn/app/", **PLAIN) as client,
    ):
        (websocket,) = gateway.websockets.open
        answered = set()
        await until(lambda: websocket._pinged or answered.add(websocket._ping_due) or len(answered) > 3)
        serving.pool.draining = True
        await client.wait_closed()
        assert client.close_code == 1001
        await until(lambda: len(codes) == 2)
    async with (
        local_sockets({"app": app}, idle_s=0.1, **short) as (url, _, _),
        websockets.connect(f"{url}/fn/app/", **PLAIN) as client,
    ):
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1001, "no message for 0.1 s")
        await until(lambda: len(codes) == 3)
    assert codes == [1006, 1001, 1001]


async def test_a_slow_application_holds_its_client_back() -> None:
    """Given an application that reads nothing for now, when a client sends megabytes, I expect no more than
    a window of them to be taken from it, and all of them to arrive once the application reads."""
    go = asyncio.Event()
    sizes: list[int] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await go.wait()
        while (event := await receive())["type"] == "websocket.receive":
            sizes.append(len(event["bytes"]))

    async with local_sockets({"app": app}) as (url, serving, gateway):
        async with websockets.connect(f"{url}/fn/app/", **PLAIN) as client:

            async def send_all() -> None:
                for _ in range(400):
                    await client.send(bytes(20_000))

            (websocket,) = gateway.websockets.open
            for end, kept in ((client.transport, socket.SO_SNDBUF), (websocket._transport, socket.SO_RCVBUF)):
                # else the kernel may take all of it
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, kept, 65_536)
            sending = asyncio.create_task(send_all())
            await until(lambda: websocket.counts.sizes[0] > WINDOW_BYTES)
            await asyncio.sleep(0.1)
            assert websocket.counts.sizes[0] < WINDOW_BYTES + 40_000
            assert not sending.done()
            go.set()
            await sending
        await until(lambda: serving.outcomes)
        assert sum(sizes) == 8_000_000


async def test_a_slow_client_holds_its_application_back() -> None:
    """Given a client that reads nothing, when the application sends megabytes, I expect its send to wait, and
    to raise OSError once the client has gone."""
    sent = 0
    raised: list[BaseException] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        try:
            for _ in range(10_000):
                await send({"type": "websocket.send", "bytes": bytes(20_000)})
                sent += 20_000
        except OSError as error:
            raised.append(error)
            raise

    async with local_sockets({"app": app}) as (url, serving, _):
        _, _, writer = await raw(url, upgrade("/fn/app/"))
        before = 0
        await until(lambda: sent)
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 20_000_000
        writer.transport.abort()
        await until(lambda: serving.outcomes)
        assert raised
        assert of(serving)["relive.websocket.close_code"] == "1006"


async def test_a_flood_of_small_frames_leaves_others_their_turn() -> None:
    """While a client sends pings as fast as it can and reads nothing, I expect another client to be served,
    and the answers to pile up no further than a buffer."""
    async with local_sockets({"echo": echo}) as (url, _, gateway):
        _, _, writer = await raw(url, upgrade())
        (flooding,) = gateway.websockets.open
        ping = Frame(PING, b"x" * 100).serialize(mask=True)
        writer.transport.set_write_buffer_limits(high=1 << 24)
        writer.write(ping * 100_000)
        async with websockets.connect(f"{url}/fn/echo/", **PLAIN) as client:
            for _ in range(20):
                await client.send("still there?")
                assert await client.recv() == "still there?"
        await asyncio.sleep(0.2)
        assert flooding._transport.get_write_buffer_size() < 1_000_000
        writer.transport.abort()


async def test_an_application_that_fails_closes_its_websocket_with_1011() -> None:
    """When an application raises after it has accepted, I expect the client to get 1011, and a failure."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        await receive()
        raise ValueError("no such room")

    async with local_sockets({"app": app}) as (url, serving, _):
        async with websockets.connect(f"{url}/fn/app/", **PLAIN) as client:
            await client.send("x")
            await client.wait_closed()
            assert client.close_code == 1011
        assert serving.outcomes[0].record.status == "error"
        assert serving.outcomes[0].record.http_status == 101
