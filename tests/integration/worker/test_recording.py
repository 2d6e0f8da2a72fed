"""Each library really calls a server on loopback; then the server is gone, and a replay's worker gets the
same."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Playback
from relive_capture.explore.scene.recordings import build_recording, decode_recording
from relive_capture.recording_format import PlaybackReport, RecordedCall, ReplayInput
from small_server import serving
from worker_harness import Outcome, ZygoteHandle, zygote

SITE = sysconfig.get_paths()["purelib"]
SERVER = "@SERVER@"
CALLS = {
    "http_client": """
import http.client
place = SERVER.removeprefix("http://")
connection = http.client.HTTPConnection(place)
for path in ("/one", "/chunked", "/missing"):
    connection.request("POST", path, b"body of " + path.encode())
    answer = connection.getresponse()
    got.append((answer.status, answer.reason, answer.headers["content-type"], answer.read()))
""",
    "urllib_request": """
import urllib.error, urllib.request
got.append(urllib.request.urlopen(SERVER + "/a?x=1").read())
got.append(urllib.request.urlopen(SERVER + "/b", b"form=1").read())
try:
    urllib.request.urlopen(SERVER + "/missing")
except urllib.error.HTTPError as error:
    got.append((error.code, error.read()))
try:
    urllib.request.urlopen(SERVER + "/hangup")
except Exception as error:
    got.append(repr(error))
""",
    "urllib3": """
import urllib3
pool = urllib3.PoolManager(retries=False)
got.append(pool.request("GET", SERVER + "/a").json())
got.append(pool.request("POST", SERVER + "/b", json={"k": [1, 2]}).json())
got.append(pool.request("GET", SERVER + "/gzip").json())
got.append(b"".join(pool.request("GET", SERVER + "/chunked", preload_content=False).stream(5)))
try:
    pool.request("GET", "http://127.0.0.1:1/")
except urllib3.exceptions.NewConnectionError as error:
    got.append(str(error.__cause__ or error.__context__))
""",
    "requests": """
import requests
session = requests.Session()
got.append(session.get(SERVER + "/a", params={"x": 1}).json())
got.append(session.post(SERVER + "/b", json={"k": 1}).json())
got.append(session.get(SERVER + "/gzip").json())
with session.get(SERVER + "/chunked", stream=True) as answer:
    got.append(list(answer.iter_lines()))
got.append(session.head(SERVER + "/a").headers["content-length"])
for address in ("http://127.0.0.1:1/", SERVER + "/hangup"):
    try:
        session.get(address)
    except requests.ConnectionError as error:
        got.append(type(error.args[0]).__name__)
""",
    "httpx": """
import asyncio, httpx
with httpx.Client() as client:
    got.append(client.get(SERVER + "/a", params={"x": 1}).json())
    got.append(client.post(SERVER + "/b", json={"k": 1}).json())
    with client.stream("GET", SERVER + "/chunked") as answer:
        got.append("".join(answer.iter_text()))
    try:
        client.get("http://127.0.0.1:1/")
    except httpx.ConnectError as error:
        got.append(repr(error))
async def main():
    async with httpx.AsyncClient() as client:
        got.append((await client.post(SERVER + "/c", content=b"raw")).json())
        got.append((await client.get(SERVER + "/gzip")).json())
        try:
            await client.get(SERVER + "/hangup")
        except httpx.RemoteProtocolError as error:
            got.append(repr(error))
asyncio.run(main())
""",
    "aiohttp": """
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.post(SERVER + "/a", json={"k": [1, 2]}) as answer:
            got.append((answer.status, await answer.json()))
        async with session.get(SERVER + "/gzip") as answer:
            got.append(await answer.json())
        async with session.get(SERVER + "/chunked") as answer:
            got.append(b"".join([part async for part in answer.content.iter_any()]))
        async with session.put(SERVER + "/d", data=b"x" * 100_000) as answer:
            got.append(len(await answer.read()))
        for address in ("http://127.0.0.1:1/", SERVER + "/hangup"):
            try:
                await session.get(address)
            except aiohttp.ClientError as error:
                got.append(type(error).__name__)
asyncio.run(main())
""",
    "httpx_given_up": """
import asyncio, httpx
async def main():
    async with httpx.AsyncClient(timeout=None) as client:
        for path in ("/silence", "/half"):
            try:
                await asyncio.wait_for(client.get(SERVER + path), 0.2)
            except TimeoutError as error:
                got.append((path, repr(error), type(error.__cause__).__name__))
        try:
            async with asyncio.timeout(0.2):
                await client.get(SERVER + "/silence")
        except TimeoutError as error:
            got.append(repr(error))
        task = asyncio.create_task(client.get(SERVER + "/silence"))
        await asyncio.sleep(0.1)
        task.cancel()
        got.append(type((await asyncio.gather(task, return_exceptions=True))[0]).__name__)
        got.append((await client.get(SERVER + "/brotli")).json()["path"])
asyncio.run(main())
""",
    "aiohttp_given_up": """
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as session:
        for path in ("/silence", "/half"):
            try:
                async with session.get(SERVER + path) as answer:
                    await answer.read()
            except TimeoutError as error:
                got.append((path, repr(error)))
        try:
            async with asyncio.timeout(0.1):
                await session.get(SERVER + "/silence")
        except TimeoutError as error:
            got.append(repr(error))
asyncio.run(main())
""",
    "botocore": """
import botocore.session
client = botocore.session.get_session().create_client(
    "s3", region_name="eu-west-1", endpoint_url=SERVER, aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="none",
)
got.append(client.get_object(Bucket="shop", Key="prices")["Body"].read())
try:
    client.get_object(Bucket="shop", Key="../missing")
except client.exceptions.ClientError as error:
    got.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
""",
    "asyncio_and_sockets": """
import asyncio, socket
async def main():
    try:
        await asyncio.open_connection("127.0.0.1", 1)
    except OSError as error:
        got.append((type(error).__name__, error.errno))
asyncio.run(main())
for attempt in range(2):
    try:
        socket.socket().connect(("127.0.0.1", 1))
    except OSError as error:
        got.append(str(error))
one, other = socket.socketpair()
one.sendall(b"within"); got.append(other.recv(10))
listening = socket.create_server(("127.0.0.1", 0))
near = socket.socket(); near.connect(listening.getsockname()); got.append("its own server")
""",
}


def source(calls: str, address: str) -> str:
    body = "\n".join(f"    {line}" for line in calls.replace("SERVER", repr(address)).splitlines())
    return f"def handler(event, context):\n    got = []\n{body}\n    raise RuntimeError(repr(got))\n"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("home"), deps_dir=SITE) as running:
        yield running


def recorded(outcome: Outcome) -> list[RecordedCall]:
    assert outcome.scene is not None
    recording = decode_recording(outcome.scene.recording)
    assert recording is not None
    return build_recording(recording, Redactor()).recorded_calls


def report(outcome: Outcome) -> PlaybackReport:
    (told,) = [frame for frame in outcome.frames if isinstance(frame, Playback)]
    return msgspec.msgpack.decode(told.report, type=PlaybackReport)


def message(outcome: Outcome) -> str:
    assert outcome.result.error is not None
    return outcome.result.error.message


@pytest.mark.parametrize("library", CALLS)
def test_a_replay_gets_what_the_function_got(libraries: ZygoteHandle, library: str) -> None:
    # Given a function that has failed after its calls
    options = {"memory_mb": 1024, "timeout_s": 30.0}
    with serving() as address:
        code = source(CALLS[library], address)
        first = libraries.worker(code, **options).invoke()
    recorded_calls = recorded(first)
    assert recorded_calls

    # When its server is gone and a worker replays it
    script = msgspec.msgpack.encode(ReplayInput(recorded_calls=recorded_calls, clock=False))
    again = libraries.worker(code, replay=script, **options).invoke()

    # I expect it to have got the same, and each recorded call to be used
    assert message(again) == message(first)
    assert report(again).missing == []
    assert report(again).unused == []


def test_a_stream_is_recorded_as_far_as_it_is_read(libraries: ZygoteHandle) -> None:
    calls = """
import requests
with requests.get(SERVER + "/large", stream=True) as answer:
    got.append(len(next(answer.iter_content(1000))))
"""
    with serving() as address:
        (recorded_call,) = recorded(libraries.worker(source(calls, address), memory_mb=512).invoke())

    assert not recorded_call.response_body.complete
    assert 1000 <= len(recorded_call.response_body.text) < 600_000


def test_a_body_that_ends_with_its_connection_is_read_and_recorded(libraries: ZygoteHandle) -> None:
    # Given a server that tells no length, which lets http.client read into a buffer of the reader's own
    calls = """
import http.client, socket, threading
listener = socket.create_server(("127.0.0.1", 0))
def answer():
    client, _ = listener.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + b"body" * 5_000)
    client.close()
threading.Thread(target=answer).start()
connection = http.client.HTTPConnection(*listener.getsockname())
connection.request("GET", "/")
got.append(len(connection.getresponse().read()))
"""
    outcome = libraries.worker(source(calls, ""), memory_mb=512).invoke()

    # I expect all of it
    assert "20000" in message(outcome)
    (recorded_call,) = recorded(outcome)
    assert recorded_call.response_body.text == "body" * 5_000


def test_nothing_is_kept_of_an_invocation_that_ends_well(libraries: ZygoteHandle) -> None:
    with serving() as address:
        worker = libraries.worker(f"""
import urllib.request
def handler(event, context):
    urllib.request.urlopen({address!r} + event).read()
    if event == "/second":
        raise ValueError
""")
        assert worker.invoke("/first").result.status == "ok"
        (recorded_call,) = recorded(worker.invoke("/second"))

    assert recorded_call.url.endswith("/second")


def test_random_bytes_are_the_functions_own_and_not_those_of_span_ids(libraries: ZygoteHandle) -> None:
    worker = libraries.worker("""
import secrets
from opentelemetry import trace
def handler(event, context):
    for _ in range(3):
        with trace.get_tracer("shop").start_as_current_span("step"):
            pass
    raise RuntimeError(secrets.token_hex(8))
""")
    first = worker.invoke()
    assert first.scene is not None
    recording = decode_recording(first.scene.recording)
    assert recording is not None

    assert [data.hex() for data in recording.notes.seeds.urandom] == [message(first)]
    assert recording.notes.init_seeds is not None
    assert recording.notes.init_seeds.urandom == []


def test_a_call_that_is_not_recorded_fails_and_is_named(libraries: ZygoteHandle) -> None:
    with serving() as address:
        script = msgspec.msgpack.encode(ReplayInput(clock=False))
        code = source("import requests\nrequests.get(SERVER + '/new?sku=1')", address)
        again = libraries.worker(code, replay=script, memory_mb=512).invoke()

    assert f"GET {address}/new?sku=1 is not in the scene's recording" in message(again)
    assert report(again).missing == [f"GET {address}/new?sku=1"]


def test_the_network_is_closed_below_the_libraries_too(libraries: ZygoteHandle) -> None:
    calls = """
import socket
for attempt in (lambda: socket.socket().connect(("127.0.0.1", int(SERVER.rpartition(":")[2]))),
                lambda: socket.getaddrinfo("example.org", 80),
                lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))):
    try:
        attempt()
    except Exception as error:
        got.append(str(error).splitlines()[0])
"""
    with serving() as address:
        script = msgspec.msgpack.encode(ReplayInput(clock=False))
        again = libraries.worker(source(calls, address), replay=script).invoke()

    assert message(again).count("is not in the scene's recording") == 3
    assert "the look-up of example.org" in message(again)


def test_a_library_is_not_imported_for_the_function(tmp_path: Path) -> None:
    with zygote(tmp_path) as running:
        found = running.worker("""
import sys
def handler(event, context):
    return sorted(name for name in ("requests", "urllib3", "httpx", "aiohttp") if name in sys.modules)
""").invoke()

    assert found.value == []
