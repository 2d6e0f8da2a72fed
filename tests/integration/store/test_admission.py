"""Only who can read the token beside the socket talks to the store process."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_store import StoreProcess, StoreRefused, StoreUnavailable, open_store
from relive_store.process.admission import token_path
from relive_store.process.messages import (
    Failure,
    Hello,
    Query,
    Request,
    Response,
    decode_response,
    encode_message,
    receive_message,
)


@pytest.fixture
def process(short_dir: Path) -> Iterator[StoreProcess]:
    made = StoreProcess(short_dir / "store", short_dir / "s.sock", log_path=short_dir / "log")
    made.start()
    yield made
    made.kill()


def _connected(process: StoreProcess) -> socket.socket:
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    raw.settimeout(120)
    raw.connect(str(process.socket_path))
    return raw


def _answers(raw: socket.socket, message: Request) -> Response | None:
    raw.sendall(encode_message(message))
    reply = receive_message(raw)
    return decode_response(reply) if reply is not None else None


@pytest.mark.parametrize("first", [Query(sql="SELECT 1"), Hello(token=""), Hello(token="0" * 64)])
def test_a_client_without_the_token_is_refused_and_cut_off(process: StoreProcess, first: Request) -> None:
    with _connected(process) as raw:
        # When somebody connects who does not show the token
        answer = _answers(raw, first)

        # I expect a refusal that says so, and the end
        assert isinstance(answer, Failure)
        assert answer.kind == "StoreRefused"
        assert "token" in answer.message
        assert token_path(process.socket_path).read_text() not in answer.message
        assert receive_message(raw) is None


def test_a_first_message_that_is_too_large_is_refused_unread(process: StoreProcess) -> None:
    with _connected(process) as raw:
        raw.sendall((100_000_000).to_bytes(4, "big"))
        reply = receive_message(raw)
        assert reply is not None
        assert isinstance(decode_response(reply), Failure)


def test_who_says_nothing_is_cut_off_and_holds_up_nobody(process: StoreProcess) -> None:
    # Given more silent callers than there are places for
    silent = [_connected(process) for _ in range(80)]

    # I expect that each is cut off, and that a client is served after that
    for raw in silent:
        while raw.recv(1024):
            pass
        raw.close()
    assert open_store(process.url).query("SELECT 1").scalar() == 1


def test_the_token_is_for_its_owner_alone_new_at_each_start_and_gone_at_the_end(
    process: StoreProcess,
) -> None:
    path = token_path(process.socket_path)
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) == 64
    client = open_store(process.url)
    assert client.query("SELECT 1").scalar() == 1

    # A killed process leaves its file; the next one writes its own, and an old client takes that
    process.kill()
    with pytest.raises(StoreUnavailable):
        client.query("SELECT 1")
    process.start()
    assert path.read_text() != first
    assert client.query("SELECT 1").scalar() == 1

    process.stop()
    assert not path.exists()


def test_a_client_with_a_stale_token_is_told(process: StoreProcess) -> None:
    token_path(process.socket_path).write_text("stale")
    with pytest.raises(StoreRefused, match="wants its token"):
        open_store(process.url).query("SELECT 1")
