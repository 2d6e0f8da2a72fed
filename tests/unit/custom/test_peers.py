"""Whose a connection is: this process's and its descendants', or somebody else's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from relive_runtime.custom.api import peers
from relive_runtime.custom.api.peers import Peers

CONNECT = "import os, socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as own:
        yield own


@pytest.fixture(params=["asked", "listed"])
def known(listener: socket.socket, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Peers:
    if request.param == "listed":

        def missing(*_: object) -> int:
            raise OSError(93, "no such interface")

        monkeypatch.setattr(peers, "_asked_inode", missing)
    return Peers(listener)


def test_a_connection_of_this_process_and_of_what_it_has_started_belongs(
    listener: socket.socket, known: Peers
) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        assert known.belongs(client.getsockname())
        own = client.getsockname()
        listener.accept()[0].close()
    assert not known.belongs(own)

    command = [sys.executable, "-c", CONNECT + "print(1, flush=True); sys.stdin.read()", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        connection, peer = listener.accept()
        assert known.belongs(peer)
        connection.close()
        child.communicate()


def test_a_connection_of_another_process_does_not(listener: socket.socket, known: Peers) -> None:
    # Given a process with a child, and one beside it that connects to that child's listener
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        peer = client.getsockname()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:  # what this process has is not its child's
            client.close()
            os.write(writing, b"y" if known.belongs(peer) else b"n")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 1) == b"n"
        os.close(reading)
        os.close(writing)
