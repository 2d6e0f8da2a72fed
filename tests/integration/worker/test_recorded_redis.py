"""redis-py really calls a server; then the server is gone, and a replay's worker gets the same."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from patience import PATIENCE_S
from pull_servers import Redis
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Playback
from relive_capture.explore.scene.recordings import build_recording, decode_recording
from relive_capture.recording_format import PlaybackReport, RecordedCall, ReplayInput
from worker_harness import Outcome, ZygoteHandle, zygote

SITE = sysconfig.get_paths()["purelib"]
OPTIONS = {"memory_mb": 1024, "timeout_s": PATIENCE_S}
CALLS = {
    "commands": """
import redis
with redis.Redis(port=PORT) as client:
    got.append(client.set("a", "1", ex=100))
    got.append(client.get("a")); got.append(client.get("none")); got.append(client.incr("count", 5))
    got.append(client.hset("h", mapping={"name": "x", "n": 2})); got.append(client.hgetall("h"))
    got.append(client.lpush("l", b"\\xff\\x00", "y")); got.append(client.lrange("l", 0, -1))
    got.append(client.sadd("s", "one")); got.append(client.smembers("s"))
    got.append(client.zadd("z", {"m": 1.5})); got.append(client.zrange("z", 0, -1, withscores=True))
    got.append(client.ping()); got.append(sorted(client.scan_iter("h*"))); got.append(client.type("h"))
    got.append(client.set("large", "v" * 20_000)); got.append(len(client.get("large")))
    try:
        client.lpush("a", "x")
    except redis.ResponseError as error:
        got.append(repr(error))
    try:
        client.execute_command("NOSUCH", 1)
    except redis.ResponseError as error:
        got.append(repr(error))
""",
    "protocol_2_decoded": """
import redis
client = redis.Redis(port=PORT, protocol=2, decode_responses=True, db=3)
client.hset("h", "k", "v")
got.append(client.hgetall("h")); got.append(client.config_get("maxmemory")); got.append(client.get("none"))
got.append(client.exists("h")); got.append(client.zincrby("z", 2.5, "m"))
got.append(client.info("server")["redis_mode"])
""",
    "pipelines": """
import redis
client = redis.Redis(port=PORT)
with client.pipeline() as pipe:
    pipe.set("a", 1).incr("a").lpush("a", "no").get("a")
    got.append([repr(one) for one in pipe.execute(raise_on_error=False)])
with client.pipeline(transaction=False) as pipe:
    for number in range(300):
        pipe.set(f"key:{number}", "x" * 100)
    got.append(len(pipe.execute()))
def add(pipe):
    current = int(pipe.get("a")); pipe.multi(); pipe.set("a", current + 1)
got.append(client.transaction(add, "a"))
got.append(client.register_script("return {KEYS[1], ARGV[1]}")(keys=["k"], args=[1]))
""",
    "asyncio": """
import asyncio, redis.asyncio as redis
async def main():
    async with redis.Redis(port=PORT) as client:
        got.append(await client.set("b", "1")); got.append(await client.get("b"))
        got.append(await asyncio.gather(*(client.incrby("n", 0) for _ in range(3))))
        async with client.pipeline(transaction=True) as pipe:
            got.append(await pipe.set("c", 2).get("c").execute())
        try:
            await client.incr("h")
        except redis.ResponseError as error:
            got.append(repr(error))
        try:
            await asyncio.wait_for(client.blpop("nothing"), 0.2)
        except TimeoutError as error:
            got.append(repr(error))
asyncio.run(main())
""",
    "errors": """
import redis
for client in (redis.Redis(port=1), redis.Redis(port=PORT, password="wrong-one")):
    try:
        client.get("a")
    except redis.RedisError as error:
        got.append(repr(error))
client = redis.Redis(port=PORT, socket_timeout=1.0, retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0))
try:
    client.blpop("nothing", 5)
except redis.TimeoutError as error:
    got.append(repr(error))
""",
    "pubsub": """
import redis
client = redis.Redis(port=PORT)
pubsub = client.pubsub()
pubsub.subscribe("news")
got.append(pubsub.get_message(timeout=2)["type"])
client.publish("news", "hello")
got.append(pubsub.get_message(timeout=2)["data"])
""",
}


def source(calls: str, port: int) -> str:
    body = "\n".join(f"    {line}" for line in calls.replace("PORT", str(port)).splitlines())
    return f"def handler(event, context):\n    got = []\n{body}\n    raise RuntimeError(repr(got))\n"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("home"), deps_dir=SITE) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    yield redis
    redis.kill()


def recorded(outcome: Outcome) -> list[RecordedCall]:
    assert outcome.scene is not None
    recording = decode_recording(outcome.scene.recording)
    assert recording is not None
    return build_recording(recording, Redactor()).recorded_calls


def message(outcome: Outcome) -> str:
    assert outcome.result.error is not None
    return outcome.result.error.message


def report(outcome: Outcome) -> PlaybackReport:
    (told,) = [frame for frame in outcome.frames if isinstance(frame, Playback)]
    return msgspec.msgpack.decode(told.report, type=PlaybackReport)


@pytest.mark.parametrize("kind", CALLS)
def test_a_replay_gets_what_the_function_got(libraries: ZygoteHandle, server: Redis, kind: str) -> None:
    # Given a function that has failed after its calls
    code = source(CALLS[kind], server.port)
    first = libraries.worker(code, **OPTIONS).invoke()
    recorded_calls = recorded(first)
    assert recorded_calls, message(first)

    # When the server is gone and a worker replays it
    server.kill()
    script = msgspec.msgpack.encode(ReplayInput(recorded_calls=recorded_calls, clock=False))
    again = libraries.worker(code, replay=script, **OPTIONS).invoke()

    # I expect it to have got the same, and each recorded call to be used
    assert message(again) == message(first)
    assert report(again).missing == []
    assert report(again).unused == []


@pytest.mark.parametrize("kind", ["commands", "asyncio"])
def test_a_command_that_was_not_recorded_is_named(libraries: ZygoteHandle, kind: str) -> None:
    code = source(CALLS[kind], 1)

    again = libraries.worker(code, replay=msgspec.msgpack.encode(ReplayInput()), **OPTIONS).invoke()

    assert again.result.error is not None
    assert again.result.error.type == "relive.NotRecorded"
    assert report(again).missing[0].startswith("SET ")


def test_what_is_secret_is_not_written(libraries: ZygoteHandle, server: Redis) -> None:
    code = source(
        """
import redis
client = redis.Redis(port=PORT)
client.hset("user:1", mapping={"name": "Ann", "password": "open-sesame-1"})
got.append(client.hgetall("user:1")[b"name"])
client.set("session:token", "sesame-two-2"); client.get("session:token")
try:
    redis.Redis(port=PORT, password="sesame-three").get("a")
except redis.AuthenticationError as error:
    got.append(repr(error))
""",
        server.port,
    )

    first = libraries.worker(code, **OPTIONS).invoke()
    calls = recorded(first)

    text = msgspec.json.encode(calls).decode()
    assert "Ann" in text
    assert "sesame" not in text
    script = msgspec.msgpack.encode(ReplayInput(recorded_calls=calls, clock=False))
    again = libraries.worker(code, replay=script, **OPTIONS).invoke()
    assert message(again) == message(first)
    assert report(again).differing == []
