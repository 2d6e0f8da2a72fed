"""A function reaches no unix socket; where the owner allows them, those of its own server give it nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from relive_runtime.isolation import landlock
from server_harness import served, write_app

ATTACK = '''
import glob, os, socket

def tokens(home):
    """What can be read of the files that hold a token."""
    found = {}
    for name in ("token", "store.sock.token", "server.json"):
        try:
            found[name] = open(f"{home}/run/{name}").read()
        except OSError as error:
            found[name] = type(error).__name__
    return found

def store(home, guess):
    """Talk to the store's socket as its client does, with a guessed token."""
    import msgspec
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(10)
        raw.connect(f"{home}/run/store.sock")
        for message in ({"t": "hello", "token": guess}, {"t": "query", "sql": "SELECT 1"}):
            data = msgspec.msgpack.encode(message)
            try:
                raw.sendall(len(data).to_bytes(4, "big") + data)
            except OSError:
                break
        data = b""
        try:
            while part := raw.recv(65536):
                data += part
        except OSError:
            pass
        return repr(data)

def api(home):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(2)
        raw.connect(f"{home}/run/api.sock")
        # The HTTP/2 preface, a SETTINGS frame, and a call of Status without a token
        def literal(name, value):
            return b"\\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
        head = b"".join((
            literal(b":method", b"POST"), literal(b":scheme", b"http"),
            literal(b":path", b"/relive.control.v1.Control/Status"), literal(b":authority", b"localhost"),
            literal(b"te", b"trailers"), literal(b"content-type", b"application/grpc"),
        ))
        def frame(kind, flags, stream, body):
            return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body
        raw.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + frame(4, 0, 0, b"")
                    + frame(1, 4, 1, head) + frame(0, 1, 1, b"\\0\\0\\0\\0\\0"))
        data = b""
        try:
            while part := raw.recv(65536):
                data += part
        except OSError:
            pass
        return data.decode("latin-1")

def handler(event, context):
    home = event["home"]
    if event.get("try"):
        return {"tokens": tokens(home), "store": store(home, "0" * 64), "api": api(home)}
    try:
        socket.socket(socket.AF_UNIX)
    except PermissionError:
        return "no unix sockets"
    return "unix sockets"
'''
FUNCTIONS = '[functions.attack]\nhandler = "app:handler"\nsource = "."\ntimeout_s = 20\n'


@pytest.mark.skipif(not landlock.abi_version(), reason="this kernel has no Landlock")
async def test_a_function_can_neither_read_the_tokens_nor_talk_to_store_and_api(tmp_path: Path) -> None:
    async with served(tmp_path / "home", with_api=True, unix_sockets="open", tmp_mb="0") as running:
        # Given a function of tier 1 in a running server, whose owner's client is served
        await running.deploy(write_app(tmp_path / "app", ATTACK, FUNCTIONS))
        assert await running.rows("SELECT 1") == [(1,)]
        event = msgspec.json.encode({"home": str(running.server.home), "try": True})

        # When it tries
        outcome = await running.invoke("attack", event)

        # I expect that it is refused everywhere
        assert outcome.record.isolation_tier >= 1
        found: dict[str, Any] = msgspec.json.decode(outcome.body)
        assert set(found["tokens"].values()) == {"PermissionError"}, found["tokens"]
        assert "StoreRefused" in found["store"]
        assert "result" not in found["store"]
        assert "token" in found["api"]
