"""Clients of a port: whatever one without the token sends, the next one is served."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from relive.commands.failures import debug
from relive.dap.opening import Opening
from relive.dap.requests import Given
from relive.dap.serving import listen, serve_port
from relive.dap.targets.base import Over, Target
from relive.dap.targets.scene import SceneTarget
from relive.dap.wire import Decoder, encode
from relive.session import Session as Home
from relive_capture.explore.scene import read_scene
from relive_platform.api import control_pb2 as pb
from whole_scene import write_whole_scene


class Watched(SceneTarget):
    """Notes what comes after it was closed."""

    closed = 0
    late = 0

    def interrupt(self, *, leave: bool = False) -> None:
        self.late += self.closed

    def close(self) -> None:
        self.closed += 1


class Served:
    """A port with its clients one after the other."""

    def __init__(self, folder: Path, token_s: float) -> None:
        self.targets: list[Watched] = []
        self.problems: list[str] = []
        scene = read_scene(write_whole_scene(folder))

        def opener(_given: Given, *, again: bool, say: Callable[[str], None]) -> Target:
            self.targets.append(Watched(scene))
            return self.targets[-1]

        self.listener = listen(0)

        def serve() -> None:
            with suppress(OSError):  # the port is closed at the end
                serve_port(self.listener, opener, folder, "right", self.problems.append, token_s=token_s)

        self._thread = threading.Thread(target=serve, name="served", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.listener.close()

    def client(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname())

    def said(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """What a client gets that sends all at once, until it is cut off."""
        with self.client() as client:
            client.sendall(b"".join(encode({"type": "request", "seq": 1, **one}) for one in requests))
            decoder, found = Decoder(), []
            while data := client.recv(65_536):
                found += decoder.feed(data)
            return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[float], Served]]:
    started: list[Served] = []

    def start(token_s: float) -> Served:
        started.append(Served(tmp_path, token_s))
        return started[-1]

    yield start
    for one in started:
        one.close()


def attach(token: Any, **arguments: Any) -> dict[str, Any]:
    return {"command": "attach", "arguments": {"token": token, **arguments}}


LEFT = {"command": "disconnect"}


def test_what_is_no_text_is_a_wrong_token(served: Callable[[float], Served]) -> None:
    port = served(30.0)

    said = port.said(attach("\ud800"), attach("wro\0ng"), attach(7), attach("right"))
    assert [one["success"] for one in said] == [False] * 3  # then it is cut off

    after = [one for one in port.said(attach("right"), LEFT) if one["type"] == "response"]
    assert [one["success"] for one in after] == [True, True]


def test_with_the_token_it_has_an_answer(served: Callable[[float], Served]) -> None:
    port = served(30.0)
    odd = [
        {"command": "evaluate", "arguments": {"expression": "a\ud800", "frameId": 1}},
        {"command": "completions", "arguments": {"text": "a\udfff", "column": 2}},
        {"command": "evaluate", "arguments": {"expression": "a\0b", "frameId": 1}},
    ]
    said = port.said(attach("right", localRoot="/\0"), attach("right"), *odd, LEFT)
    answers = [one for one in said if one["type"] == "response"]
    assert [one["success"] for one in answers] == [False, True, False, False, False, True]
    assert "NUL or half of a character" in answers[2]["message"]


def cut_off(client: socket.socket) -> bool:
    """Whether its connection has ended; after a while without an answer it has not."""
    try:
        return not client.recv(10)
    except TimeoutError:
        return False


def test_a_byte_now_and_then_does_not_hold_the_place(served: Callable[[float], Served]) -> None:
    port = served(0.2)
    with port.client() as client:
        client.settimeout(0.02)
        head = iter(b"Content-Length: 4000\r\n\r\n" + b" " * 4000)
        with suppress(ConnectionError):  # it may be cut off before it sends, too
            while not cut_off(client):
                client.send(bytes([next(head)]))
    late = 0  # on a busy machine the next one may be as slow
    while not port.said(attach("right"), LEFT):
        late += 1
        assert late < 100
    assert port.problems == ["timed out: it has not shown its token"] * (1 + late)


def test_nothing_reads_on_for_a_client_that_was_cut_off(served: Callable[[float], Served]) -> None:
    port = served(30.0)
    before = [thread for thread in threading.enumerate() if thread.name == "dap"]
    clients = []
    for _ in range(3):  # they stay connected after they have left
        client = port.client()
        client.sendall(encode({"type": "request", "seq": 1, **attach("right")}))
        client.sendall(encode({"type": "request", "seq": 2, **LEFT}))
        clients.append(client)
        while client.recv(65_536):
            pass
    port.said(*[attach("wrong")] * 3)

    assert [target.closed for target in port.targets] == [1, 1, 1]
    assert [target.late for target in port.targets] == [0, 0, 0]
    for client in clients:
        client.close()
    reading = [t for t in threading.enumerate() if t.name == "dap" and t.is_alive() and t not in before]
    for thread in reading:
        thread.join()


def test_what_does_not_begin_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    ended = pb.DebugResponse(ended=pb.DebugEnded(reason="the process has gone"))
    call = SimpleNamespace(
        next=lambda _timeout_s: ended, close=lambda: closed.append(True), worker=pb.FrozenWorker(pid=7)
    )
    monkeypatch.setattr(debug, "attach_to_kept", lambda _home, _ident: (call, ""))
    opening = Opening(cast(Home, None), "last", "process", code=None, trust=False)

    with pytest.raises(Over, match="the process has gone"):
        opening(Given({}), again=False, say=lambda _text: None)
    assert closed == [True]
