"""WebSockets that a function opens are not recorded: the scene names them, and a replay says so at once."""

from __future__ import annotations

import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from patience import PATIENCE_S
from relive_base.parts import Why
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Playback
from relive_capture.explore.scene.recordings import build_recording, decode_recording
from relive_capture.recording_format import PlaybackReport, ReplayInput
from websockets.sync.server import serve
from worker_harness import zygote

SITE = sysconfig.get_paths()["purelib"]
OPTIONS = {"memory_mb": 1024, "timeout_s": PATIENCE_S}
CALLS = {
    "aiohttp": """
import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect("ws://127.0.0.1:PORT/news") as ws:
            return (await ws.receive()).data
def handler(event, context):
    raise RuntimeError(asyncio.run(main()))
""",
    "websockets": """
import asyncio, websockets
async def main():
    async with websockets.connect("ws://127.0.0.1:PORT/news") as ws:
        return await ws.recv()
def handler(event, context):
    raise RuntimeError(asyncio.run(main()))
""",
    "websockets_sync": """
from websockets.sync.client import connect
def handler(event, context):
    with connect("ws://127.0.0.1:PORT/news") as ws:
        raise RuntimeError(ws.recv())
""",
}


@pytest.fixture
def port() -> Iterator[int]:
    with serve(lambda ws: ws.send("hello"), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("library", CALLS)
def test_a_websocket_is_named(tmp_path: Path, port: int, library: str) -> None:
    code = CALLS[library].replace("PORT", str(port))
    with zygote(tmp_path / "home", deps_dir=SITE) as running:
        # Given a function that has failed after a message came over a WebSocket
        first = running.worker(code, **OPTIONS).invoke()
        assert first.scene is not None
        recording = decode_recording(first.scene.recording)
        assert recording is not None
        checked = build_recording(recording, Redactor())

        # When it is replayed
        script = msgspec.msgpack.encode(ReplayInput(recorded_calls=checked.recorded_calls, clock=False))
        again = running.worker(code, replay=script, **OPTIONS).invoke()

    # I expect both to name it
    assert first.result.error is not None
    assert first.result.error.message == "hello"
    because = checked.state.because(Why.OTHER_CONNECTIONS)
    assert because is not None
    assert f"127.0.0.1:{port}" in str(because.arguments)
    (told,) = [frame for frame in again.frames if isinstance(frame, Playback)]
    missing = msgspec.msgpack.decode(told.report, type=PlaybackReport).missing
    assert any(f"127.0.0.1:{port}" in one for one in missing)
