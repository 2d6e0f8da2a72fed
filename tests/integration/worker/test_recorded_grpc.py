"""A gRPC client really calls a server; then the server is gone, and a replay's worker gets the same."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from patience import PATIENCE_S
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Playback
from relive_capture.explore.scene.recordings import build_recording, decode_recording
from relive_capture.recording_format import PlaybackReport, RecordedCall, ReplayInput
from worker_harness import Outcome, ZygoteHandle, zygote

SITE = sysconfig.get_paths()["purelib"]
OPTIONS = {"memory_mb": 1024, "timeout_s": PATIENCE_S}
PROTO = """
syntax = "proto3";
package shop;
message Ask { string name = 1; int64 count = 2; string api_token = 3; }
message Told { string text = 1; repeated double prices = 2; bytes raw = 3; }
service Shop {
  rpc One (Ask) returns (Told);
  rpc Many (Ask) returns (stream Told);
  rpc Sum (stream Ask) returns (Told);
  rpc Chat (stream Ask) returns (stream Told);
}
"""
CALLS = {
    "in_threads": """
import grpc, shop_pb2 as pb, shop_pb2_grpc as rpc
with grpc.insecure_channel("127.0.0.1:PORT") as channel:
    shop = rpc.ShopStub(channel)
    got.append(shop.One(pb.Ask(name="a", count=2**40)))
    answer, call = shop.One.with_call(pb.Ask(name="b"), metadata=[("x-shop", "1")])
    got.append((answer, call.code(), dict(call.trailing_metadata())["x-end"]))
    got.append(shop.One.future(pb.Ask(name="c")).result())
    got.append([told.text for told in shop.Many(pb.Ask(name="d", count=3))])
    got.append(shop.Sum(pb.Ask(count=number) for number in range(4)))
    got.append([told.text for told in shop.Chat(iter([pb.Ask(name="e"), pb.Ask(name="f")]))])
    missing = pb.Ask(name="missing", count=1)
    for ask in (lambda: shop.One(missing), lambda: list(shop.Many(missing))):
        try:
            ask()
        except grpc.RpcError as error:
            got.append((error.code(), error.details()))
    stream = shop.Many(pb.Ask(name="g", count=100))
    got.append(next(stream).text); stream.cancel()
    channel.unary_unary("/shop.Other/Bytes")(b"\\xff\\x00").hex() and got.append("bytes")
""",
    "in_an_event_loop": """
import asyncio, grpc, shop_pb2 as pb, shop_pb2_grpc as rpc
async def asks(numbers):
    for number in numbers:
        yield pb.Ask(name=str(number), count=number)
async def main():
    async with grpc.aio.insecure_channel("127.0.0.1:PORT") as channel:
        shop = rpc.ShopStub(channel)
        got.append(await shop.One(pb.Ask(name="a", count=3)))
        call = shop.One(pb.Ask(name="b"))
        got.append((await call, await call.code(), dict(await call.trailing_metadata())["x-end"]))
        got.append([told.text async for told in shop.Many(pb.Ask(name="d", count=3))])
        got.append(await shop.Sum(asks(range(4))))
        got.append([told.text async for told in shop.Chat(asks(range(2)))])
        chat = shop.Chat()
        await chat.write(pb.Ask(name="w")); got.append((await chat.read()).text)
        await chat.done_writing(); got.append(await chat.read() is grpc.aio.EOF)
        try:
            await shop.One(pb.Ask(name="missing"))
        except grpc.aio.AioRpcError as error:
            got.append((error.code(), error.details()))
        got.append(await asyncio.gather(*(shop.One(pb.Ask(name=name)) for name in "xyz")))
        try:
            await shop.One(pb.Ask(name="slow"), timeout=0.3)
        except grpc.aio.AioRpcError as error:
            got.append(error.code())
asyncio.run(main())
""",
}


@pytest.fixture(scope="module")
def protos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("protos")
    (folder / "shop.proto").write_text(PROTO)
    assert not protoc.main(
        [
            "",
            f"-I{folder}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            str(folder / "shop.proto"),
        ]
    )
    return folder


@pytest.fixture
def server(protos: Path) -> Iterator[tuple[Any, int]]:
    sys.path.insert(0, str(protos))
    try:
        import shop_pb2 as pb
        import shop_pb2_grpc as rpc
    finally:
        sys.path.remove(str(protos))

    class Shop(rpc.ShopServicer):
        def One(self, ask: Any, context: Any) -> Any:
            context.set_trailing_metadata((("x-end", "done"),))
            if ask.name == "missing":
                context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            if ask.name == "slow":
                context.add_callback(slow.set)
                slow.wait(PATIENCE_S)
            return pb.Told(text=f"one {ask.name} {ask.count}", prices=[1.5, 0.1], raw=b"\xff")

        def Many(self, ask: Any, context: Any) -> Any:
            for number in range(ask.count):
                yield pb.Told(text=f"{ask.name} {number}")
            if ask.name == "missing":
                context.abort(grpc.StatusCode.NOT_FOUND, "no more")

        def Sum(self, asks: Any, context: Any) -> Any:
            return pb.Told(text=str(sum(ask.count for ask in asks)))

        def Chat(self, asks: Any, context: Any) -> Any:
            for ask in asks:
                yield pb.Told(text=f"heard {ask.name}")

    from threading import Event

    slow = Event()
    running = grpc.server(ThreadPoolExecutor(8))
    rpc.add_ShopServicer_to_server(Shop(), running)
    other = {"Bytes": grpc.unary_unary_rpc_method_handler(lambda data, context: data + data)}
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Other", other),))
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    yield running, port
    running.stop(0).wait()


def source(calls: str, port: int) -> str:
    body = "\n".join(f"    {line}" for line in calls.replace("PORT", str(port)).splitlines())
    return f"def handler(event, context):\n    got = []\n{body}\n    raise RuntimeError(repr(got))\n"


def invoked(libraries: ZygoteHandle, protos: Path, code: str, **more: Any) -> Outcome:
    folder = libraries.home / "code" / f"v{libraries._next_id + 1}"  # beside the code
    shutil.copytree(protos, folder)
    return libraries.worker(code, **OPTIONS, **more).invoke()


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("home"), deps_dir=SITE) as running:
        yield running


def recorded(outcome: Outcome) -> list[RecordedCall]:
    assert outcome.scene is not None
    recording = decode_recording(outcome.scene.recording)
    assert recording is not None
    return build_recording(recording, Redactor()).recorded_calls


def message(outcome: Outcome) -> str:
    assert outcome.result.error is not None
    return outcome.result.error.message


@pytest.mark.parametrize("kind", CALLS)
def test_a_replay_gets_what_the_function_got(
    libraries: ZygoteHandle, server: tuple[Any, int], protos: Path, kind: str
) -> None:
    # Given a function that has failed after its calls
    running, port = server
    code = source(CALLS[kind], port)
    first = invoked(libraries, protos, code)
    recorded_calls = recorded(first)
    assert recorded_calls, message(first)
    assert "one a" in message(first), message(first)

    # When the server is gone and a worker replays it
    running.stop(0).wait()
    script = msgspec.msgpack.encode(ReplayInput(recorded_calls=recorded_calls, clock=False))
    again = invoked(libraries, protos, code, replay=script)

    # I expect it to have got the same, and each recorded call to be used
    assert message(again) == message(first)
    (told,) = [frame for frame in again.frames if isinstance(frame, Playback)]
    report = msgspec.msgpack.decode(told.report, type=PlaybackReport)
    assert (report.missing, report.unused, report.differing) == ([], [], [])


def test_messages_are_readable_and_have_no_secrets(
    libraries: ZygoteHandle, server: tuple[Any, int], protos: Path
) -> None:
    _, port = server
    calls = """
import grpc, shop_pb2 as pb, shop_pb2_grpc as rpc
with grpc.insecure_channel("127.0.0.1:PORT") as channel:
    got.append(rpc.ShopStub(channel).One(pb.Ask(name="Ann", api_token="open-sesame")))
"""

    (call,) = recorded(invoked(libraries, protos, source(calls, port)))

    assert (call.method, call.url) == ("/shop.Shop/One", f"grpc://127.0.0.1:{port}")
    assert '"name":"Ann"' in call.request_body.text
    assert "sesame" not in msgspec.json.encode(call).decode()
    assert '"text":"one Ann 0"' in call.response_body.text
