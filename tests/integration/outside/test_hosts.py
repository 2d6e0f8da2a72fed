"""Real hosts run applications; what fails leaves a scene that is imported, replayed, gone back in, and made
a test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S
from pull_servers import free_port
from recorded_hosts import asked, host, run, scene_of, scenes_in
from relive_capture.explore.parts import outside_facts
from relive_capture.explore.scene import SceneFile
from relive_cli import Relive
from relive_platform.replay import ReplayError, ReplayOptions, replay
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

SHOP = """
RATES = {"DE": 490}

def cents(order):
    address = order["address"]
    return RATES[address["country"]]
"""
FASTAPI = """
from fastapi import FastAPI, Request
from shop import cents
app = FastAPI()

@app.post("/orders")
async def orders(request: Request):
    return {"cents": cents(await request.json())}

@app.post("/plain")
def plain(order: dict):
    return {"cents": cents(order)}
"""
FLASK = """
from flask import Flask, request
from shop import cents
app = Flask(__name__)

@app.post("/orders")
def orders():
    return {"cents": cents(request.get_json())}
"""
JOB = """
import sys
prices = {"mon": 1}
def main(day):
    return prices[day]
print("hello")
main(sys.argv[1])
"""
THREAD = """
import threading
def side():
    raise ValueError("aside")
thread = threading.Thread(target=side)
thread.start()
thread.join()
"""
GOOD = b'{"address": {"country": "DE"}}'
BAD = b'{"address": {"street": "Lane 3"}, "password": "hunter2-hunter2"}'


def check_same(scene: SceneFile, home: Path, **options: object) -> None:
    """It is the same failure in a replay of the sources in its archive."""
    run = replay(scene, home, ReplayOptions(trust=True, **options))  # type: ignore[arg-type]
    assert run.outcome == "same", run


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("uvicorn", FASTAPI, ["uvicorn", "application:app", "--port"]),
        ("gunicorn", FLASK, ["gunicorn", "application:app", "-b"]),
    ],
)
def test_a_request_that_fails(tmp_path: Path, name: str, text: str, command: list[str]) -> None:
    # Given a server that runs an application whose code knows nothing of Relive
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "application.py").write_text(text)
    port = free_port()
    place = f"127.0.0.1:{port}" if name == "gunicorn" else str(port)
    with host(tmp_path, ["relive-record", *command, place], port):
        # When a request succeeds, and another one fails
        assert asked(f"http://127.0.0.1:{port}/orders", GOOD) == (
            200,
            b'{"cents":490}' + b"\n" * (name == "gunicorn"),
        )
        status, _ = asked(f"http://127.0.0.1:{port}/orders", BAD, Authorization="Bearer abcdefgh12345678")
        assert status == 500
        scene = scene_of(tmp_path)
    # I expect its scene, without secrets
    facts = outside_facts(scene)
    assert facts is not None
    assert (facts.host, facts.kind, facts.handler) == (name, "request", "application:app")
    assert {"shop.py", "application.py"} <= set(scene.sources)
    assert scene.exceptions[0].frames[-1].function == "cents"
    assert json.loads(scene.event)["password"] == "[redacted]"
    assert b"abcdefgh12345678" not in scene.raw
    assert dict(scene.context["http"]["headers"])["authorization"] == "[redacted]"
    # ... and that it can be replayed, and gone back in
    check_same(scene, tmp_path / "home", travel=name == "gunicorn")


ASGI_502 = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b"no ", "more_body": True})
        await send({"type": "http.response.body", "body": b"supplier for " + scope["path"].encode()})
"""
WSGI_502 = """
def app(environ, start_response):
    start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
    return [b"no ", b"supplier for " + environ["PATH_INFO"].encode()]
"""


@pytest.mark.parametrize(
    ("text", "command"),
    [(ASGI_502, ["uvicorn", "answers:app", "--port"]), (WSGI_502, ["gunicorn", "answers:app", "-b"])],
    ids=["uvicorn", "gunicorn"],
)
def test_an_answer_that_says_that_it_failed(tmp_path: Path, text: str, command: list[str]) -> None:
    # Given an application that raises nothing, and answers with 502
    (tmp_path / "answers.py").write_text(text)
    port = free_port()
    place = f"127.0.0.1:{port}" if command[0] == "gunicorn" else str(port)
    with host(tmp_path, ["relive-record", *command, place], port):
        assert asked(f"http://127.0.0.1:{port}/orders/17", b"{}") == (502, b"no supplier for /orders/17")
        scene = scene_of(tmp_path)
    # I expect a scene of the answer, with what it said, and the same failure in a replay
    assert scene.manifest["error"]["message"] == "Bad Gateway for POST /orders/#"
    assert dict(scene.exceptions[0].details) == {
        "status": "502 Bad Gateway",
        "body": "no supplier for /orders/17",
    }
    check_same(scene, tmp_path / "home")


SOCKETS = """
from fastapi import FastAPI, WebSocket
from shop import cents
app = FastAPI()

@app.websocket("/prices")
async def prices(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_json(cents(await socket.receive_json()))

@app.websocket("/refused")
async def refused(socket: WebSocket):
    raise LookupError("no prices today")
"""


def test_a_websocket_that_fails(tmp_path: Path) -> None:
    # Given a server of websockets
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "application.py").write_text(SOCKETS)
    port = free_port()
    command = ["relive-record", "uvicorn", "application:app", "--port", str(port)]
    with host(tmp_path, command, port):
        # When a client leaves, when code fails in the middle of a conversation, and before it begins
        with connect(f"ws://127.0.0.1:{port}/prices") as socket:
            socket.send(GOOD.decode())
            assert socket.recv(PATIENCE_S) == "490"
        with connect(f"ws://127.0.0.1:{port}/prices?day=1") as socket:
            socket.send(BAD.decode())
            with pytest.raises(ConnectionClosed):
                socket.recv(PATIENCE_S)
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{port}/refused")
        scenes = scenes_in(tmp_path, 2)
    # I expect scenes of the failures alone, each with its handshake and its locals
    assert [scene.manifest["error"]["type"] for scene in scenes] == ["KeyError", "LookupError"]
    failed = scenes[0]
    assert (failed.context["http"]["path"], failed.context["http"]["query"]) == ("/prices", "day=1")
    assert failed.exceptions[0].frames[-1].function == "cents"
    # ... that say why they cannot be replayed
    with pytest.raises(ReplayError, match="websocket"):
        replay(failed, tmp_path / "home", ReplayOptions(trust=True))
    assert len(list((tmp_path / "scenes").iterdir())) == 2


def test_an_endpoint_that_runs_in_a_thread_can_be_gone_back_in(tmp_path: Path) -> None:
    # Given a plain endpoint of FastAPI, which runs in a thread of its server
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "application.py").write_text(FASTAPI)
    port = free_port()
    with host(tmp_path, ["relive-record", "uvicorn", "application:app", "--port", str(port)], port):
        assert asked(f"http://127.0.0.1:{port}/plain", BAD)[0] == 500
        scenes_in(tmp_path, 1)
    # When its failure is gone back in, I expect the line where the value came from
    (file,) = (tmp_path / "scenes").glob("*.scene")
    told = Relive(tmp_path / "home").run("replay", str(file), "--trust", "--travel", "-c", "why", check=False)
    assert "the same failure" in told.stdout
    assert 'address = order["address"]' in told.stdout


def test_a_script_that_raises(tmp_path: Path) -> None:
    # Given a script with arguments
    (tmp_path / "job.py").write_text(JOB)
    # When it is run under the recorder, I expect what it says and its status as ever
    plain = run(tmp_path, sys.executable, "job.py", "tue")
    ran = run(tmp_path, "relive-record", "job.py", "tue", "--password", "hunter2-hunter2")
    assert (ran.returncode, ran.stdout) == (plain.returncode, plain.stdout)
    assert ran.stderr == plain.stderr
    scene = scene_of(tmp_path)
    assert scene.manifest["function"] == "job"
    assert scene.manifest["version"] == 0
    assert json.loads(scene.event)["args"][:2] == ["job.py", ""]
    assert "hunter2" not in scene.event.decode()
    # ... and a home that imports it, once
    home = tmp_path / "home"
    relive = Relive(home)
    first = relive.run("scene", "import", str(tmp_path / "scenes"), "--json")
    again = relive.run("scene", "import", str(tmp_path / "scenes"), "--json")
    assert [row["state"] for row in json.loads(first.stdout)["scenes"]] == ["new"]
    assert [row["state"] for row in json.loads(again.stdout)["scenes"]] == ["known"]
    (listed,) = [json.loads(line) for line in relive.run("failures", "--json").stdout.splitlines()]
    assert (listed["function"], listed["error_type"]) == ("job", "KeyError")
    # ... where its code runs only if the user says so
    with pytest.raises(ReplayError, match="--trust"):
        replay(scene, home, ReplayOptions())
    told = relive.run("replay", "job", "--trust", "--travel", "-c", "why", check=False)
    assert "day = 'tue'" in told.stdout
    assert "the same failure" in told.stdout
    asked = relive.run("why", "job", "--code", str(tmp_path), check=False)
    assert "day = 'tue'" in asked.stdout, asked.stderr
    made = relive.run("scene", "job", "--to-test", str(tmp_path / "tests/"), "--code", str(tmp_path))
    assert "failed with the recorded error, KeyError: 'tue'" in made.stdout


def test_threads_of_a_script(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(THREAD)
    assert run(tmp_path, "relive-record", "job.py").returncode == 0
    scene = scene_of(tmp_path)
    assert (scene.manifest["kind"], scene.manifest["error"]["type"]) == ("background", "ValueError")
    check_same(scene, tmp_path / "home")


def test_a_script_that_exits_or_is_interrupted_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import sys\nsys.exit(3)\n")
    assert run(tmp_path, "relive-record", "job.py").returncode == 3
    assert not (tmp_path / "scenes").exists()


def test_a_process_that_is_killed_is_told_of_by_the_next(tmp_path: Path) -> None:
    # Given a script that is killed in the middle
    (tmp_path / "job.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    assert run(tmp_path, "relive-record", "job.py").returncode == -9
    # When the next one starts, I expect a scene that says so
    (tmp_path / "job.py").write_text("print(1)\n")
    assert run(tmp_path, "relive-record", "job.py").returncode == 0
    scene = scenes_in(tmp_path, 1)[0]
    assert (scene.manifest["kind"], scene.manifest["error"]["type"]) == ("signal", "Killed")
    # ... and that there is nothing of it to be run again
    with pytest.raises(ReplayError, match="nothing of an event is noted"):
        replay(scene, tmp_path / "home", ReplayOptions(code=tmp_path))
    assert "nothing of an event is noted" in scene.parts["replay"].reason
