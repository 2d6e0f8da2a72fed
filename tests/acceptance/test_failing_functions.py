"""Every way in which a function can fail leaves a scene, and its caller is told at once."""

from __future__ import annotations

import os
import signal
import socket
import zipfile
from collections.abc import Iterator

import pytest
from relive_cli import Relive, laboratory, toml

SOURCE = """
import json, logging, os, re, signal, sys, time
from opentelemetry import trace

tracer = trace.get_tracer("lab")

def raises(event, context):
    basket = event["basket"]
    return basket["sku"]

def chained(event, context):
    try:
        raises(event, context)
    except KeyError as error:
        raise RuntimeError("no price") from error

def loops(event, context):
    rounds = 0
    while True:
        rounds += 1

def hogs(event, context):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))
        time.sleep(0.002)

def recurses(event, context):
    return recurses(event, context)

def exits(event, context):
    sys.exit(3)

def vanishes(event, context):
    os._exit(7)

def dies(event, context):
    with tracer.start_as_current_span("finished before death"):
        print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

def strange(event, context):
    return {"answer": [1, {2, 3}]}

def echo(event, context):
    return event
"""

NAMES = (
    "raises", "chained", "loops", "hogs", "recurses", "exits", "vanishes", "dies", "strange", "echo",
)  # fmt: skip
FILES = {
    "app.py": SOURCE,
    "relive.toml": toml(
        {name: f'handler = "app:{name}"\nmemory_mb = 96' for name in NAMES}
        | {"loops": 'handler = "app:loops"\ntimeout_s = 0.5'}
    ),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with laboratory(FILES) as server:
        yield server


# function -> status, kind of the scene, what the caller is told
WAYS = {
    "raises": ("error", "exception", ["KeyError", "sku"]),
    "chained": ("error", "exception", ["RuntimeError", "no price"]),
    "loops": ("timeout", "timeout", ["0.5"]),
    "hogs": ("memory", "memory", ["96 MB"]),
    "recurses": ("error", "recursion", ["RecursionError"]),
    "exits": ("crash", "exit", ["SystemExit", "3"]),
    "vanishes": ("crash", "exit", ["7"]),
    "dies": ("crash", "signal", ["SIGKILL"]),
    "strange": ("error", "bad_result", ["set"]),
}


@pytest.mark.parametrize("function", WAYS)
def test_each_way_to_fail_is_told_at_once_and_leaves_a_scene(lab: Relive, function: str) -> None:
    # When the function fails
    event = {"basket": {"n": 7}}
    row = lab.invoke(function, event)

    # I expect an answer that names the failure
    status, kind, said = WAYS[function]
    assert row["status"] == status, row
    for text in said:
        assert text in f"{row['error']['type']}: {row['error']['message']}", row

    # ... and a scene with the kind, the reason and the event
    scene = lab.scene(row["invocation_id"])
    assert scene["manifest"]["kind"] == kind
    assert scene["event"] == event
    assert scene["exception"][0]["type"]
    for text in said:
        assert text in f"{scene['exception'][0]['type']}: {scene['exception'][0]['message']}"

    # ... in which whatever is missing has a reason
    for name, part in scene["parts"].items():
        assert part["state"] == "ok" or part["reason"], (name, part)

    # ... and the listings agree
    (listed,) = [
        entry for entry in lab.json("failures", function) if entry["invocation_id"] == row["invocation_id"]
    ]
    assert listed["kind"] == kind
    assert lab.json("invocations", function, "--status", status)[0]["invocation_id"] == row["invocation_id"]


def test_the_chain_of_an_exception_has_its_cause_with_locals(lab: Relive) -> None:
    row = lab.invoke("chained", {"basket": {"n": 7}})

    scene = lab.scene(row["invocation_id"])

    assert [view["type"] for view in scene["exception"]] == ["RuntimeError", "KeyError"]
    frame = scene["exception"][1]["frames"][-1]
    assert frame["function"] == "raises"
    assert "basket" in dict(frame["locals"])


def test_a_failure_says_how_its_event_differs_from_the_last_one_that_worked(lab: Relive) -> None:
    # Given an event that worked, with a secret in it
    healthy = lab.invoke("raises", {"basket": {"sku": "A1", "n": 7}, "password": "hunter2-of-old"})
    assert healthy["status"] == "ok"

    # When the next one fails
    row = lab.invoke("raises", {"basket": {"n": "7"}, "password": "hunter3", "coupon": "X"})
    scene = lab.scene(row["invocation_id"])

    # I expect what is different, path by path
    assert scene["healthy"]["invocation_id"] == healthy["invocation_id"]
    changes = {change["path"]: change["change"] for change in scene["healthy"]["changes"]}
    assert changes == {"basket.sku": "removed", "basket.n": "type", "coupon": "added"}
    shown = lab.run("failure", row["invocation_id"]).stdout
    assert '- basket.sku missing (was "A1")' in shown

    # ... and the event that worked in the archive, redacted as the other one
    path = lab.home.parent / "healthy.scene"
    lab.run("scene", row["invocation_id"], "--output", str(path))
    assert b'"sku":"A1"' in member(path, "healthy/event.bin").replace(b" ", b"")
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if b"hunter2-of-old" in archive.read(name)]


def test_what_was_finished_before_kill_9_of_the_worker_is_in_the_store(lab: Relive) -> None:
    # Given a worker that killed itself after a span and a line
    row = lab.invoke("dies")

    # I expect both under its invocation
    lines = lab.eventually(lambda: lab.json("logs", "--invocation", row["invocation_id"], check=False))
    assert "last words" in [line["body"] for line in lines]
    assert [
        span
        for span in lab.json("trace", row["trace_id"])
        if span["name"] == "finished before death" and span["status"] != "Error"
    ]


EVENTS = {
    "not a number": ('{"price": NaN}', ["NaN", "offset 10"]),
    "infinity": ("[1, -Infinity]", ["-Infinity", "offset 4"]),
    "key twice": ('{"a": 1, "b": 2, "a": 3}', ["'a'", "twice"]),
    "cut off": ('{"a": [1, 2', ["line 1 column", "offset 11"]),
    "deep": ("[" * 100_000 + "]" * 100_000, ["100000", "offset 99999"]),
    "two values": ("{} {}", ["line 1 column 4"]),
}


@pytest.mark.parametrize("case", EVENTS)
def test_an_event_that_is_not_json_is_refused_where_it_is_wrong_and_kept(lab: Relive, case: str) -> None:
    # When a poisoned event comes, from a file as large ones do
    text, said = EVENTS[case]
    path = lab.home.parent / "event.json"
    path.write_text(text)
    row = lab.invoke("echo", f"@{path}")

    # I expect an error that says where
    assert row["status"] == "error"
    assert row["error"]["kind"] == "bad_event"
    for part in said:
        assert part in row["error"]["message"]

    # ... and the raw bytes in the scene
    scene = lab.scene(row["invocation_id"])
    assert scene["manifest"]["kind"] == "bad_event"
    output = lab.home.parent / "bad.scene"
    lab.run("scene", row["invocation_id"], "--output", str(output))
    assert member(output, "event.bin") == text.encode()

    # ... and the function goes on
    assert lab.invoke("echo", {"a": 1})["result"] == {"a": 1}


def test_an_event_that_is_not_utf8_says_which_byte(lab: Relive) -> None:
    path = lab.home.parent / "latin.json"
    path.write_bytes(b'{"name": "Z\xfcrich"}')

    row = lab.invoke("echo", f"@{path}")

    assert row["error"]["kind"] == "bad_event"
    assert "0xfc at offset 11" in row["error"]["message"]


def member(scene: object, name: str) -> bytes:
    with zipfile.ZipFile(str(scene)) as archive:
        return archive.read(name)


def test_a_scene_goes_to_a_colleague_as_one_file(lab: Relive, relive: Relive) -> None:
    # Given a failure
    row = lab.invoke("raises", {"basket": {"n": 7}})
    lab.scene(row["invocation_id"])

    # When its scene is written to a file and opened on an empty home without a server
    path = relive.home.parent / "theirs.scene"
    (written,) = lab.json("scene", "last", "--output", str(path))
    assert written["bytes"] == path.stat().st_size
    shown = relive.run("failure", str(path)).stdout

    # I expect all of it
    assert "KeyError" in shown
    assert 'return basket["sku"]' in shown
    assert "'n': 7" in shown

    # ... and a broken file to be refused with one sentence
    path.write_bytes(path.read_bytes()[:-200])
    done = relive.run("failure", str(path), check=False)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr


def test_a_cold_start_that_fails_is_an_error_of_its_own_with_a_scene(relive: Relive) -> None:
    # Given a function that connects to its database when it is loaded, and is deployed while that runs
    relive.environment = {"RELIVE_WAITING_WORKERS": "0"}
    with relive.serving():
        with socket.create_server(("127.0.0.1", 0)) as database:
            port = database.getsockname()[1]
            code = (
                "import socket\n"
                f"socket.create_connection(('127.0.0.1', {port}), 1).close()\n"
                "def handler(event, context):\n    return 'ok'\n"
            )
            folder = relive.application({"db.py": code})
            relive.run("deploy", str(folder), "--name", "database", "--handler", "db:handler")
            warm = relive.invoke("database")

            # I expect the first event to have seen the cold start, with a span of its own
            assert warm["cold"]
            spans = relive.json("trace", warm["trace_id"])
            (init,) = [span for span in spans if "init" in span["name"]]
            assert init["duration_ns"] == relive.json("invocations")[0]["init_ns"] > 0
            relive.eventually(lambda: relive.json("status")[0]["workers"]["idle"])
            assert not relive.invoke("database")["cold"]

        # When the database is gone at the next cold start
        os.kill(relive.json("invocations")[0]["worker_pid"], signal.SIGKILL)
        relive.eventually(lambda: not relive.json("status")[0]["workers"]["idle"])
        row = relive.eventually(lambda: (row := relive.invoke("database"))["status"] != "ok" and row)

        # I expect the line of the module that failed
        assert row["status"] == "init_error"
        assert row["error"]["type"] == "ConnectionRefusedError"
        scene = relive.scene(row["invocation_id"])
        assert scene["manifest"]["kind"] == "init"
        assert [frame for frame in scene["exception"][0]["frames"] if frame["file"].endswith("db.py")]
