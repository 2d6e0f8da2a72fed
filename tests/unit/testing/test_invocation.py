"""relive.testing: an invocation as it was, in the test's own process."""

from __future__ import annotations

import os
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from relive.testing import FunctionDied, Invocation
from relive.testing.answers import ServerError
from relive_base.errors import ReliveError
from relive_base.own_code import is_own

SOURCE = """
import asyncio, json, os, random, signal, time, urllib.request, uuid
import relive

STAGE = os.environ.get("STAGE")

def order(event, context):
    return {"sku": event["sku"], "function": context.function_name, "stage": STAGE}

def spins(event, context):
    while True:
        pass

def swallows(event, context):
    try:
        while True:
            pass
    except BaseException:
        return "never mind"

def sets(event, context):
    return {"a": [{1}]}

def answers(event, context):
    how = event["rawPath"]
    try:
        {}["sku"]
    except KeyError:
        if how == "/logged":
            import logging
            logging.exception("failed")
    return {"statusCode": 404 if how == "/fine" else 503, "body": "busy"}

def chance(event, context):
    return [random.random(), str(uuid.uuid4()), time.time()]

def dies(event, context):
    os.kill(os.getpid(), signal.SIGSEGV)

def leaves(event, context):
    os._exit(3)

def hogs(event, context):
    return len(bytearray(1 << 30))

def web(request):
    return {"got": request.get_json()["a"], "to": request.args.get("to")}

async def waits(event, context):
    await asyncio.sleep(0)
    raise LookupError("nothing") from KeyError("inner")

def fetches(event, context):
    return json.loads(urllib.request.urlopen("http://shop.example/price").read())

def calls(event, context):
    return relive.invoke("pricing", {"sku": 1})

def reads(event, context):
    with open("/nowhere/to/be/found/price.json") as file:
        price = json.load(file)
    with open("/nowhere/to/be/found/out.json", "w") as file:
        json.dump(price, file)
    return [price, sorted(os.listdir("/nowhere/to/be/found"))]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE)
    return tmp_path


def invocation(source: Path, name: str, **more: Any) -> Invocation:
    return Invocation(handler=f"app:{name}", source=source, function=name, **{"timeout_s": 60.0, **more})


def test_the_handler_gets_event_context_and_environment(source: Path) -> None:
    given = invocation(source, "order", event={"sku": "A1"}, environment={"STAGE": "dev"})
    assert given.run() == {"sku": "A1", "function": "order", "stage": "dev"}


def test_files_are_those_of_the_scene_and_what_is_written_goes_nowhere(source: Path) -> None:
    file = {"path": "/nowhere/to/be/found/price.json", "kind": "file", "mode": 0o644, "content": b"3"}

    given = invocation(source, "reads", files=[file])

    assert given.run() == [3, ["out.json", "price.json"]]
    assert not Path("/nowhere").exists()


def test_an_error_comes_as_it_is_with_a_traceback_that_begins_in_the_functions_code(source: Path) -> None:
    with pytest.raises(KeyError, match="sku") as caught:
        invocation(source, "order", event={}).run()
    files = [entry.path for entry in caught.traceback]
    assert [Path(file).name for file in files if is_own(str(file))] in ([], ["invocation.py"])
    assert Path(files[-1]) == source / "app.py"


def test_cause_and_awaiting_frames_of_an_async_handler_are_kept(source: Path) -> None:
    with pytest.raises(LookupError, match="nothing") as caught:
        invocation(source, "waits").run()
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("name", ["spins", "swallows"])
def test_the_time_limit_holds(source: Path, name: str) -> None:
    with pytest.raises(BaseException, match=r"ran longer than its 0\.1 s") as caught:
        invocation(source, name, timeout_s=0.1).run()
    assert type(caught.value).__qualname__ == "Timeout"


def test_a_result_that_is_no_json_fails_and_names_the_place(source: Path) -> None:
    with pytest.raises(ReliveError, match=r'result\["a"\]\[0\]: set'):
        invocation(source, "sets").run()


def test_an_http_function_gets_its_request(source: Path) -> None:
    request = {
        "method": "POST",
        "query": "to=DE",
        "headers": [("Content-Type", "application/json")],
        "body": '{"a": 1}',
    }
    assert invocation(source, "web", kind="http", request=request).run() == {"got": 1, "to": "DE"}


def test_clock_and_chance_stand_where_they_stood(source: Path) -> None:
    # Given the seeds of an invocation in the year 2020
    seeds = {"wall_ns": 1_577_836_800 * 10**9, "urandom": ["AAAAAAAAAAAAAAAAAAAAAA=="]}

    # When it is run, I expect its clock and its uuid, and today's afterwards
    _, identifier, now = invocation(source, "chance", seeds=seeds).run()
    assert identifier == "00000000-0000-4000-8000-000000000000"
    assert 0 <= now - 1_577_836_800 < 60
    assert time.time() > 1_700_000_000


def test_calls_are_answered_as_recorded(source: Path) -> None:
    http = {
        "kind": "http",
        "method": "GET",
        "url": "http://shop.example/price",
        "status": 200,
        "response_body": {"text": '{"cents": 5}'},
    }
    pricing = {
        "kind": "invoke",
        "method": "CALL",
        "url": "pricing",
        "request_body": {"text": '{"sku": 1}'},
        "status": 200,
        "response_body": {"text": '{"cents": 7}'},
    }
    assert invocation(source, "fetches", calls=[http]).run() == {"cents": 5}
    assert invocation(source, "calls", calls=[pricing]).run() == {"cents": 7}


def test_a_call_that_is_not_recorded_is_named(source: Path) -> None:
    with pytest.raises(ReliveError, match=r"GET http://shop\.example(:80)?/price is not in") as caught:
        invocation(source, "fetches").run()
    assert "CALLS" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "said"), [("dies", "SIGSEGV"), ("leaves", r"os\._exit\(3\)"), ("hogs", "MemoryError")]
)
def test_what_would_end_the_process_ends_another_one(source: Path, name: str, said: str) -> None:
    with pytest.raises(FunctionDied, match=said):
        invocation(source, name, apart=True, memory_mb=64).run()


def test_a_missing_requirement_in_the_other_process_is_named_with_its_hint(source: Path) -> None:
    (source / "needs.py").write_text("import nowhere_installed\ndef handler(event, context): pass\n")
    with pytest.raises(FunctionDied) as caught:
        Invocation(source=source, handler="needs:handler", apart=True).run()
    first, *_, last = str(caught.value).splitlines()
    assert first == "the function failed: ModuleNotFoundError: No module named 'nowhere_installed'"
    assert "Traceback (most recent call last)" in str(caught.value)
    assert last.endswith("install the function's requirements where the test runs")


def test_a_result_comes_back_from_the_other_process(source: Path) -> None:
    assert invocation(source, "order", event={"sku": 2}, apart=True).run()["sku"] == 2


def test_everything_is_put_back(source: Path) -> None:
    """Given a process with a path, a folder, an environment, a network and chance of its own."""
    before = (list(sys.path), os.getcwd(), dict(os.environ), list(sys.meta_path))
    places = (
        socket.socket.connect,
        socket.create_connection,
        socket.getaddrinfo,
        os.urandom,
        random.Random.seed,
    )

    # When invocations run, one of which fails
    invocation(source, "order", event={"sku": 1}, environment={"STAGE": "x"}).run()
    with pytest.raises(ReliveError):
        invocation(source, "fetches").run()

    # I expect all of it as it was, and the function's module gone
    assert before[:3] == (list(sys.path), os.getcwd(), dict(os.environ))
    assert places == (
        socket.socket.connect, socket.create_connection, socket.getaddrinfo, os.urandom, random.Random.seed
    )  # fmt: skip
    assert "app" not in sys.modules


def test_a_source_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReliveError, match="source is not there"):
        invocation(tmp_path / "gone", "order").run()


def test_an_answer_with_a_server_error_is_a_failure(source: Path) -> None:
    """As on the platform: of the exception behind it, where one is known."""

    def asked(path: str) -> Any:
        request = {"method": "GET", "path": path, "host": "localhost"}
        return invocation(source, "answers", request=request).run()

    with pytest.raises(KeyError, match="sku"):
        asked("/logged")
    with pytest.raises(ServerError, match="answered with 503: busy"):
        asked("/bare")
    assert asked("/fine") == "busy"
