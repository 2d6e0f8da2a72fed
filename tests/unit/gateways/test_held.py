"""Connections of a gateway whose process has ended."""

from __future__ import annotations

import os
import socket

from relive_platform.server.gateways.held import HeldSockets, Marks
from relive_platform.triggers.http.connections.marks import ANSWERS, BEGUN, GONE, RESTS


def test_the_server_goes_on_with_those_that_rest_and_tells_those_that_wait() -> None:
    """Given connections that a gateway has, each in another state, when its process has ended, I expect those
    that rest, or never came to it, to go on with what was read of them, one whose request has begun to get
    the answer, one that was half answered to be closed, and none to be left of one that was given back."""
    held = HeldSockets(5)
    marks = Marks(os.dup(held.memory))
    clients = []
    for state in (None, RESTS, BEGUN, ANSWERS, GONE):
        client, ours = socket.socketpair()
        data, mark = marks.of(held.hold(ours.fileno(), b"GET"))
        assert data == b"GET"
        assert mark is not None
        if state is not None:
            mark.tell(state)
        ours.close()
        clients.append(client)

    rest, answered = held.end(b"502")

    assert [data for _, data in rest] == [b"GET", b""]
    assert answered == 1
    for descriptor, _ in rest:
        os.write(descriptor, b"served")
        os.close(descriptor)
    assert [client.recv(9) for client in clients] == [b"served", b"served", b"502", b"", b""]
    for client in clients:
        client.close()


def test_places_are_used_again_and_more_connections_go_without() -> None:
    """Given as many connections as there are places, when another one comes, I expect it to be given away
    without a copy; when one has gone, its place to be free."""
    held = HeldSockets(1)
    marks = Marks(os.dup(held.memory))
    one, other = socket.socketpair()
    _, first = marks.of(held.hold(one.fileno(), b""))
    assert first is not None
    assert marks.of(held.hold(one.fileno(), b"x")) == (b"x", None)
    first.tell(GONE)
    held.release()
    assert marks.of(held.hold(one.fileno(), b""))[1] is not None
    held.close()
    one.close()
    assert other.recv(1) == b""
    other.close()


def test_a_connection_that_did_not_arrive_comes_back_with_what_was_read_of_it() -> None:
    """Given a gateway that got the bytes of a connection and no socket, when the server looks, I expect it
    to have the connection again, with its bytes and once, and the place to be free; the same at the end, of
    one that could not be sent."""
    held = HeldSockets(1)
    marks = Marks(os.dup(held.memory))
    one, other = socket.socketpair()
    marks.lost(held.hold(one.fileno(), b"GET"))
    one.close()

    [(descriptor, data)] = held.release()

    assert data == b"GET"
    assert held.release() == []
    held.lost(held.hold(descriptor, data))
    os.close(descriptor)
    ([(descriptor, data)], _) = held.end(b"")
    assert data == b"GET"
    os.write(descriptor, b"served")
    os.close(descriptor)
    assert other.recv(9) == b"served"
    other.close()
