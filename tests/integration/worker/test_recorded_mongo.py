"""pymongo really asks a server; then the server is gone, and a replay's worker gets the same."""

from __future__ import annotations

import socket
import sysconfig
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from mongo_calls import CALLS, fill, source
from mongo_server import Mongo
from pull_servers import running
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Playback
from relive_capture.explore.scene.recordings import CheckedRecording, build_recording, decode_recording
from relive_capture.recording_format import PlaybackReport, RecordedCall, Recording, ReplayInput
from worker_harness import Outcome, ZygoteHandle, zygote

SITE = sysconfig.get_paths()["purelib"]
OPTIONS: dict[str, Any] = {"memory_mb": 1024, "timeout_s": 60.0}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("home"), deps_dir=SITE) as running_zygote:
        yield running_zygote


def recording_of(outcome: Outcome) -> Recording:
    assert outcome.scene is not None
    found = decode_recording(outcome.scene.recording)
    assert found is not None
    return found


def checked(outcome: Outcome) -> CheckedRecording:
    return build_recording(recording_of(outcome), Redactor())


def script(outcome: Outcome, **more: Any) -> bytes:
    """As it is written into a scene, and read again."""
    calls = msgspec.json.encode(checked(outcome).recorded_calls)
    notes = recording_of(outcome).notes
    return msgspec.msgpack.encode(
        ReplayInput(
            recorded_calls=msgspec.json.decode(calls, type=list[RecordedCall]),
            seeds=notes.seeds,
            init_seeds=notes.init_seeds,
            **more,
        )
    )


def report(outcome: Outcome) -> PlaybackReport:
    (told,) = [frame for frame in outcome.frames if isinstance(frame, Playback)]
    return msgspec.msgpack.decode(told.report, type=PlaybackReport)


def message(outcome: Outcome) -> str:
    assert outcome.result.error is not None
    return outcome.result.error.message


@pytest.fixture(scope="module")
def first_runs(libraries: ZygoteHandle) -> dict[str, tuple[str, Outcome]]:
    """Every function has failed after its calls; the server is gone."""
    found = {}
    with running(Mongo) as server:
        for name in CALLS:
            fill(server.url)
            code = source(name, server.url)
            found[name] = (code, libraries.worker(code, **OPTIONS).invoke())
    return found


def again(libraries: ZygoteHandle, code: str, first: Outcome, event: object = None) -> Outcome:
    return libraries.worker(code, replay=script(first), **OPTIONS).invoke(event)


@pytest.mark.parametrize("name", CALLS)
def test_a_replay_gets_what_the_function_got(
    libraries: ZygoteHandle, first_runs: dict[str, tuple[str, Outcome]], name: str
) -> None:
    # Given a function that has failed after its calls, and whose server is gone
    code, first = first_runs[name]
    assert message(first).startswith("["), message(first)
    assert checked(first).recorded_calls
    assert recording_of(first).connections == []

    # When a worker replays it
    second = again(libraries, code, first)

    # I expect it to have got the same, and each recorded call to be used
    assert message(second) == message(first)
    assert report(second).missing == []
    assert report(second).unused == []
    assert report(second).differing == []


def warm(body: str, url: str, options: str = "serverSelectionTimeoutMS=3000") -> str:
    """A function that keeps its client, and fails the second time."""
    return f"""
import bson, pymongo, uuid
client = pymongo.MongoClient("{url}", {options})
seen = []
def handler(event, context):
    seen.append(1)
{textwrap.indent(textwrap.dedent(body).strip(), "    ")}
"""


def test_a_client_of_an_earlier_invocation(libraries: ZygoteHandle) -> None:
    # Given a client with connections, sessions and a counter of ObjectIds that earlier invocations have used
    with running(Mongo) as server:
        fill(server.url)
        code = warm(
            """
            shop = client.shop
            with client.start_session() as session, session.start_transaction():
                made = shop.orders.insert_one({"n": len(seen)}, session=session).inserted_id
            got = [made, shop.orders.find_one({"_id": made}), str(uuid.uuid4()), bson.ObjectId()]
            if event:
                raise RuntimeError(repr(got))
            """,
            server.url,
        )
        worker = libraries.worker(code, **OPTIONS)
        for _ in range(3):
            assert worker.invoke().result.error is None
        first = worker.invoke({"fail": True})

    second = again(libraries, code.replace("len(seen)", "4"), first, {"fail": True})

    # I expect a fresh worker's replay to have the same ids of documents and the same random bytes
    assert message(second) == message(first)
    assert (report(second).missing, report(second).unused, report(second).differing) == ([], [], [])


def test_a_server_that_goes_away(libraries: ZygoteHandle) -> None:
    # Given a client whose server is killed between two invocations
    with running(Mongo) as server:
        fill(server.url)
        body = """
        try:
            client.shop.items.find_one({"_id": 1})
        except pymongo.errors.PyMongoError as error:
            text = str(error).partition("Topology Description")[0]
            labels = sorted(error._error_labels)
            raise RuntimeError(repr((type(error).__qualname__, text, labels, error.timeout)))
        """
        code = warm(body, server.url)
        worker = libraries.worker(code, **OPTIONS)
        assert worker.invoke().result.error is None
        server.kill()
        first = worker.invoke()
    assert any(call.failure for call in checked(first).recorded_calls), message(first)

    second = again(libraries, code, first)

    # I expect the same error, at once and without a server to look for
    assert message(second) == message(first)
    assert (report(second).missing, report(second).unused) == ([], [])


def test_names_of_srv_are_looked_up_in_the_recording(libraries: ZygoteHandle) -> None:
    # Given a name service of the function's own that says where its servers are
    body = """
    import dns.resolver, dns.rdtypes.IN.SRV as kind, dns.name
    def resolve(name, what, **options):
        if client_of is None or what == "TXT":
            raise dns.resolver.NoAnswer()
        return [kind.SRV(1, 33, 0, 0, PORT, dns.name.from_text("localhost.example.test."))]
    client_of = ASK
    dns.resolver.resolve = resolve
    try:
        url = "mongodb+srv://shop.example.test/?tls=false"
        pymongo.MongoClient(url, serverSelectionTimeoutMS=300).shop.items.find_one()
    except Exception as error:
        raise RuntimeError(f"{type(error).__qualname__}: {error}".partition("Topology")[0])
    """
    code = warm(body.replace("PORT", "1"), "127.0.0.1:1").replace("client = ", "client = None #")
    first = libraries.worker(code.replace("ASK", "True"), **OPTIONS).invoke()
    assert "ServerSelectionTimeoutError" in message(first), message(first)

    second = again(libraries, code.replace("ASK", "None"), first)

    assert message(second) == message(first)
    assert (report(second).missing, report(second).unused) == ([], [])


def test_a_time_limit_while_no_server_answers(libraries: ZygoteHandle) -> None:
    # Given a server that takes connections and says nothing
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mongodb://127.0.0.1:{silent.getsockname()[1]}"
        code = warm("client.shop.items.find_one()", url, "")
        first = libraries.worker(code, **OPTIONS).invoke(timeout_s=1.0)
    assert first.result.status == "timeout"

    second = libraries.worker(code, replay=script(first), **OPTIONS).invoke(timeout_s=1.0)

    assert second.result.status == "timeout"
    assert (report(second).missing, report(second).unused) == ([], [])


def test_what_was_not_recorded_is_named_and_secrets_are_not_written(libraries: ZygoteHandle) -> None:
    with running(Mongo) as server:
        body = """
        users = client.shop.users
        users.insert_one({"_id": 1, "name": "Ann", "password": "open-sesame-1"})
        found = users.find_one({"_id": 1})
        ASK
        raise RuntimeError(found["name"])
        """
        code = warm(body, server.url)
        first = libraries.worker(code.replace("ASK", ""), **OPTIONS).invoke()
    text = msgspec.json.encode(checked(first).recorded_calls).decode()
    assert "Ann" in text
    assert "sesame" not in text
    assert checked(first).redactions

    second = again(libraries, code.replace("ASK", "client.shop.orders.count_documents({})"), first)

    assert second.result.error is not None
    assert second.result.error.type == "relive.NotRecorded"
    assert report(second).missing == ["aggregate shop.orders"]
    assert report(second).differing == []
