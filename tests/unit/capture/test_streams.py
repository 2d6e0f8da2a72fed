"""Bytes of connections: what is copied of them, and RESP as values."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from relive_base.redaction.redactor import Redactor
from relive_capture.record.recording.limits import RecordingLimits
from relive_capture.record.recording.recorded import CallRecording
from relive_capture.record.recording.streams.tap import Tap, is_tapped, tap_socket, tap_transport
from relive_capture.resp import clean_pairs, commands, label, packed, values


class Holder:
    """Keeps calls."""

    def __init__(self) -> None:
        self.kept_calls = CallRecording(RecordingLimits())


def kept(holder: Holder) -> list[tuple[bytes, bytes]]:
    return [(raw.request, raw.response) for raw in holder.kept_calls.recorded_calls()]


def test_what_is_sent_and_what_comes_then_is_one_call() -> None:
    near, far = socket.socketpair()
    holder = Holder()
    tapped = tap_socket(near, Tap(holder, "redis", "redis", "redis://h:1/0"))

    tapped.sendall(b"one")
    tapped.sendall(b" two")
    far.sendall(b"answer")
    buffer = bytearray(10)
    assert tapped.recv(3) == b"ans"
    assert tapped.recv_into(buffer) == 3
    tapped.sendall(b"three")
    far.close()
    with pytest.raises(ConnectionError):
        tapped.recv(1)
    tapped.close()

    calls = holder.kept_calls.recorded_calls()
    assert kept(holder) == [(b"one two", b"answer"), (b"three", b"")]
    assert calls[1].failure is not None
    assert calls[1].failure.type == "builtins.ConnectionResetError"


def test_under_tls_each_byte_is_kept_once(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=certificate)
    near, far = socket.socketpair()

    def answer() -> None:
        with server.wrap_socket(far, server_side=True) as secure:
            assert secure.recv(4) == b"once"
            secure.sendall(b"hello")

    thread = threading.Thread(target=answer)
    thread.start()
    holder = Holder()
    tapped = tap_socket(
        client.wrap_socket(near, server_hostname="localhost"), Tap(holder, "redis", "redis", "redis://h:1/0")
    )

    tapped.sendall(b"once")
    assert tapped.recv(5) == b"hello"

    thread.join()
    assert is_tapped(tapped)
    assert isinstance(tapped, ssl.SSLSocket)
    assert kept(holder) == [(b"once", b"hello")]
    tapped.close()


def test_a_transport_that_cannot_be_tapped_is_left_as_it_is() -> None:
    class Transport:
        __slots__ = ()

        def write(self, data: bytes) -> None: ...

    class Reader:
        def data_received(self, data: bytes) -> None: ...

        def eof_received(self) -> None: ...

        def connection_lost(self, error: Exception | None) -> None: ...

    reader = Reader()

    assert not tap_transport(Transport(), reader, Tap(Holder(), "redis", "redis", ""))
    assert not vars(reader)


ANSWERS = (
    b"+OK\r\n:12\r\n$3\r\nabc\r\n$2\r\n\xff\x00\r\n_\r\n#t\r\n,1.5\r\n,inf\r\n(123456789012345678901\r\n"
    b"-ERR no\r\n*2\r\n:1\r\n*0\r\n%1\r\n+a\r\n:1\r\n~1\r\n:7\r\n>2\r\n+message\r\n+x\r\n=7\r\ntxt:abc\r\n"
)


def test_values_of_resp_become_bytes_that_mean_the_same() -> None:
    found, used = values(ANSWERS)

    assert used == len(ANSWERS)
    again, _ = values(b"".join(map(packed, found)))
    assert again == found
    assert len(found) == 15


def test_half_a_value_waits_for_the_rest() -> None:
    found, used = values(b"+OK\r\n$10\r\nhalf")
    assert (found, used) == (["OK"], 5)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"$x\r\n", b"*1\r\n" * 100 + b":1\r\n"])
def test_what_is_no_resp_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        values(data)


def test_null_is_told_in_the_version_of_the_connection() -> None:
    assert (packed(None, 3), packed(None, 2), packed([None], 2)) == (b"_\r\n", b"$-1\r\n", b"*1\r\n$-1\r\n")


def test_secrets_are_hidden_by_names_and_keys() -> None:
    redactor = Redactor()
    (auth, hset, get), _ = commands(
        b"*2\r\n$4\r\nAUTH\r\n$6\r\nsesame\r\n"
        b"*6\r\n$4\r\nHSET\r\n$1\r\nu\r\n$4\r\nname\r\n$3\r\nAnn\r\n$8\r\npassword\r\n$6\r\nsesame\r\n"
        b"*2\r\n$3\r\nGET\r\n$13\r\nsession:token\r\n"
    )

    assert (label(auth), label(get)) == ("AUTH", "GET session:token")
    clean = [clean_pairs(command, redactor, command) for command in (auth, hset, get)]
    assert clean[0] == ["AUTH", "[redacted]"]
    assert clean[1] == ["HSET", "u", "name", "Ann", "password", "[redacted]"]
    assert clean_pairs("sesame", redactor, get) == "[redacted]"
    answered = {"$dict": [["name", "Ann"], ["api_key", "sesame"]]}
    assert clean_pairs(answered, redactor) == {"$dict": [["name", "Ann"], ["api_key", "[redacted]"]]}
