"""What goes between the processes of one server: sockets with their bytes, questions and answers."""

from __future__ import annotations

import asyncio
import os
import resource
import socket

import pytest
from relive_platform.engine.failed.frozen import NotKept
from relive_platform.server.gateways.channel import Channel, Gone
from relive_platform.server.gateways.descriptors import Descriptors


async def test_a_socket_arrives_with_all_that_was_read_of_it() -> None:
    # Given two processes' ends, and more bytes than one packet holds
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    arrived: asyncio.Queue[tuple[str, int, bytes]] = asyncio.Queue()
    here = Descriptors(ours, lambda *_: None)
    there = Descriptors(theirs, lambda *told: arrived.put_nowait(told))
    data = os.urandom(200_000)
    for number in range(3):
        one, other = socket.socketpair()
        # When a socket is given away
        here.send("c", os.dup(one.fileno()), data[number:])
        kind, descriptor, read = await arrived.get()
        # I expect the same one there, with its bytes
        assert (kind, read) == ("c", data[number:])
        with socket.socket(fileno=descriptor) as taken:
            taken.sendall(b"still open")
        assert other.recv(99) == b"still open"
        one.close()
        other.close()
    here.close()
    there.close()


async def test_what_is_given_to_a_process_that_is_gone_is_closed() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here = Descriptors(ours, lambda *_: None)
    theirs.close()
    one, other = socket.socketpair()

    here.send("c", one.detach())
    assert not here.send("c", os.dup(other.fileno()))

    assert other.recv(1) == b""
    assert here.dropped == 1
    other.close()


async def test_what_comes_without_its_socket_is_told_once() -> None:
    # Given a process that has as many files open as it may
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    arrived: list[tuple[str, int, bytes]] = []
    lost: list[bytes] = []
    here = Descriptors(ours, lambda *_: None)
    there = Descriptors(theirs, lambda *told: arrived.append(told), lost.append)
    one, other = socket.socketpair()
    here.send("c", one.detach(), b"slot" + bytes(100_000))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    # When a connection comes to it, in several packets
    try:
        there._readable()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    # I expect it to hear of that, and the next one to arrive
    assert [data[:4] for data in lost] == [b"slot"]
    here.send("c", other.detach(), b"next")
    there._readable()
    assert [(kind, data) for kind, _, data in arrived] == [("c", b"next")]
    os.close(arrived[0][1])
    here.close()
    there.close()


async def test_what_a_process_sent_before_it_ended_arrives() -> None:
    # Given more sockets than are taken at once, of a process that has ended
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    arrived: list[bytes] = []

    def taken(_kind: str, descriptor: int, data: bytes) -> None:
        os.close(descriptor)
        arrived.append(data)

    here = Descriptors(ours, taken)
    there = Descriptors(theirs, lambda *_: None)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
    for number in range(80):
        there.send("c", os.dup(0), b"%d" % number)
    unsent = len(there._unsent)
    there.close()
    # When the other end hears of that, I expect it to have all of them
    here.finish()
    assert arrived == [b"%d" % number for number in range(80 - unsent)]
    assert arrived


async def _pair(asked: dict[str, object], lost: asyncio.Event) -> tuple[Channel, Channel]:
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    here = Channel({}, {}, lost.set)
    there = Channel(asked, {}, lambda: None)  # type: ignore[arg-type]
    for channel, sock in ((here, ours), (there, theirs)):
        sock.setblocking(False)
        await loop.create_unix_connection(lambda channel=channel: channel, sock=sock)  # type: ignore[misc]
    return here, there


async def test_an_answer_is_its_question_s_and_an_error_keeps_its_kind() -> None:
    async def echo(body: bytes) -> bytes:
        return body

    async def refuse(_body: bytes) -> bytes:
        raise NotKept("the worker of x left", hint="look elsewhere")

    async def fault(_body: bytes) -> bytes:
        raise ZeroDivisionError("oops")

    lost = asyncio.Event()
    here, there = await _pair({"echo": echo, "refuse": refuse, "fault": fault}, lost)

    answers = await asyncio.gather(*(here.ask("echo", number) for number in range(3)))
    assert answers == [b"\x00", b"\x01", b"\x02"]
    with pytest.raises(NotKept, match="the worker of x left") as found:
        await here.ask("refuse")
    assert found.value.hint == "look elsewhere"
    with pytest.raises(Exception, match="ZeroDivisionError: oops"):
        await here.ask("fault")
    # When the other end goes, I expect whoever waits to hear it
    there.close()
    await lost.wait()
    with pytest.raises(Gone):
        await here.ask("echo")


async def test_a_listener_that_fails_costs_what_it_was_told_and_not_the_channel() -> None:
    # Given a process that is told things, of which one cannot be dealt with
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    lost = asyncio.Event()

    def broken(_body: bytes) -> None:
        raise ZeroDivisionError("oops")

    here = Channel({}, {}, lambda: None)
    there = Channel({}, {"broken": broken, "heard": heard.put_nowait}, lost.set)
    for channel, sock in ((here, ours), (there, theirs)):
        sock.setblocking(False)
        await loop.create_unix_connection(lambda channel=channel: channel, sock=sock)  # type: ignore[misc]

    # When it is told that, something that it does not know, and something else
    for verb in ("broken", "unknown", "heard"):
        here.tell(verb, 7)

    # I expect it to hear the last one, and its end to be open
    assert await heard.get() == b"\x07"
    assert not lost.is_set()
    here.close()
    await lost.wait()
