"""An editor looks at a failure: in its process, in its scene, and in a replay that it goes back in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from relive.dap.wire import Decoder, encode

from tests.support.editor_client import Step, conversation, has_client, listening
from tests.support.patience import PATIENCE_S
from tests.support.relive_cli import Relive, laboratory, relive_home, toml

pytestmark = pytest.mark.skipif(not has_client(), reason="the client is an npm package")

CODE = """
PRICES = {"A-1": 300}


def price_of(sku):
    found = PRICES.get(sku)
    return found


def line_total(item):
    price = price_of(item["sku"])
    return price * item["count"]


def checkout(event, context):
    total = 0
    numbers = list(range(2500))
    for item in event["items"]:
        total += line_total(item)
    return {"total": total}


def priced(event, context):
    total = 0
    for item in event["items"]:
        total += (price_of(item["sku"]) or 0) * item["count"]
    return total


def summed(event, context):
    rows, limit = event["items"], 5
    total = sum(row["count"] for row in rows)
    return {"total": total,
            "limit": limit}
"""
SERVICE = """
async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    who = scope["query_string"].decode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": who.encode()})
"""
FUNCTIONS = {
    "checkout": 'handler = "main:checkout"',
    "priced": 'handler = "main:priced"',
    "summed": 'handler = "main:summed"',
    "greets": 'handler = "service:application"\nkind = "service"',
}
FILES = {"main.py": CODE, "service.py": SERVICE, "relive.toml": toml(FUNCTIONS)}
EVENT = {"items": [{"sku": "A-1", "count": 2}, {"sku": "B-2", "count": 1}]}
FAILING, CALLER = 12, 19


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with laboratory(FILES) as home:
        home.environment = {}
        yield home


@pytest.fixture(scope="module")
def failed(lab: Relive) -> str:
    ident = str(lab.invoke("checkout", EVENT)["invocation_id"])
    lab.scene(ident)
    return ident


@pytest.fixture(scope="module")
def port(lab: Relive, failed: str) -> Iterator[int]:
    with listening(lab, failed) as number:
        yield number


def opened(lab: Relive, command: str, **arguments: Any) -> list[Step]:
    """How a session begins; its answers have the numbers 0 to 4, the last of which is the stack."""
    token = (lab.home / "run" / "token").read_text()
    return [
        ("initialize", {"adapterID": "relive", "linesStartAt1": True, "columnsStartAt1": True}),
        (command, {"token": token, **arguments}, "initialized"),
        ("configurationDone", {}, "stopped"),
        ("threads", {}),
        ("stackTrace", {"threadId": 1}),
    ]


def test_the_failed_process_is_looked_into(lab: Relive, port: int, tmp_path: Path) -> None:
    # Given a working copy of the code that failed
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "main.py").write_text(CODE)

    # When an editor attaches
    found = conversation(
        port,
        [
            *opened(lab, "attach", localRoot=str(tmp_path)),
            ("scopes", {"frameId": "$4.stackFrames.1.id"}),
            ("variables", {"variablesReference": "$5.scopes.0.variablesReference"}),
            (
                "variables",
                {"variablesReference": "$6.variables.3.variablesReference", "start": 2000, "count": 2},
            ),
            ("evaluate", {"expression": "price_of('A-1') + 1", "frameId": "$4.stackFrames.0.id"}),
            ("evaluate", {"expression": "price", "frameId": "$4.stackFrames.0.id", "context": "hover"}),
            ("exceptionInfo", {"threadId": 1}),
            ("stepBack", {"threadId": 1}),
        ],
    )

    # I expect the failure where it is, in my own file, with real objects, by pages
    stopped, frames = found[2]["event"], found[4]["stackFrames"]
    assert stopped["reason"] == "exception"
    assert [(frame["name"], frame["line"]) for frame in frames] == [
        ("line_total", FAILING),
        ("checkout", CALLER),
    ]
    assert frames[0]["source"]["path"] == str(tmp_path / "lab" / "main.py")
    names = [row["name"] for row in found[6]["variables"]]
    assert names == ["event", "context", "total", "numbers", "item"]
    assert found[6]["variables"][3]["indexedVariables"] == 2500
    assert [(row["name"], row["value"]) for row in found[7]["variables"]] == [
        ("[2000]", "2000"),
        ("[2001]", "2001"),
    ]
    assert found[8]["result"] == "301"
    assert found[9]["result"] == "None"
    assert found[10]["exceptionId"] == "TypeError"
    assert "in line_total" in found[10]["details"]["stackTrace"]
    # and that only a replay goes back
    assert "cannot go back" in found[11]["problem"]


def test_a_scene_is_read_and_runs_nothing(lab: Relive, port: int) -> None:
    found = conversation(
        port,
        [
            *opened(lab, "attach", mode="scene"),
            ("source", {"sourceReference": "$4.stackFrames.0.source.sourceReference"}),
            ("evaluate", {"expression": "item['sku']", "frameId": "$4.stackFrames.0.id"}),
            ("evaluate", {"expression": "price_of('A-1')", "frameId": "$4.stackFrames.0.id"}),
            ("setBreakpoints", {"source": {"name": "main.py"}, "breakpoints": [{"line": 3}]}),
        ],
    )

    # I expect the deployed text, what was captured, and a word on what is not to be had
    assert found[5]["content"] == CODE
    assert found[6]["result"] == "'B-2'"
    assert "live process" in found[7]["problem"]
    assert found[8]["breakpoints"][0]["verified"] is False


def test_an_editor_goes_back_from_a_failure(lab: Relive, port: int) -> None:
    # When it is run again, and gone back in: by a step, to a breakpoint, and on
    main = {"source": "$4.stackFrames.0.source"}
    back = {"threadId": 1}
    found = conversation(
        port,
        [
            *opened(lab, "launch"),
            ("setBreakpoints", {**main, "breakpoints": [{"line": 6}, {"line": 2}]}),
            ("stepBack", back, "stopped"),
            ("reverseContinue", back, "stopped"),
            ("stackTrace", back),
            ("evaluate", {"expression": "sku", "frameId": "$8.stackFrames.0.id"}),
            ("evaluate", {"expression": "why price", "context": "repl"}),
            ("stepOut", back, "stopped"),
            ("stackTrace", back),
            ("evaluate", {"expression": "origin price", "context": "repl"}, "stopped"),
            ("restart", {}, "stopped"),
            ("stackTrace", back),
            ("continue", back, "stopped"),
        ],
    )

    # I expect each moment as it was
    assert [one["verified"] for one in found[5]["breakpoints"]] == [True, False]
    assert found[6]["event"]["reason"] == "step"
    assert found[7]["event"]["reason"] == "breakpoint"
    assert [frame["line"] for frame in found[8]["stackFrames"]] == [6, 11, CALLER]
    assert found[9]["result"] == "'B-2'"
    assert [frame["line"] for frame in found[12]["stackFrames"]][-1] == CALLER
    assert found[15]["stackFrames"][0]["line"] == 16
    assert found[16]["event"]["reason"] == "breakpoint"


def test_who_has_not_the_token_of_the_home_sees_nothing(lab: Relive, port: int) -> None:
    found = conversation(
        port,
        [
            ("initialize", {"adapterID": "relive"}),
            ("attach", {"token": "wrong"}),
            ("threads", {}),
            ("attach", {}),
        ],
    )

    assert all("token" in found[number]["problem"] for number in (1, 3))
    assert "nothing is looked at" in found[2]["problem"]


def test_a_logpoint_says_what_it_is_told_to_and_goes(lab: Relive) -> None:
    # Given a line that is to be logged three times, which runs twice in each invocation
    lab.run("logpoint", "priced", "main.py:26", "{item['sku']}: {total} {missing}", "--hits", "3")

    # When the function runs
    idents = [lab.invoke("priced", EVENT)["invocation_id"] for _ in range(2)]

    # I expect the three first passes among the logs, and nothing armed any more
    def logged() -> list[list[str]]:
        rows = [lab.json("logs", "--invocation", ident, check=False) for ident in idents]
        said = [[row["body"] for row in one if "NameError" in row["body"]] for one in rows]
        return said if sum(map(len, said)) >= 3 else []

    problem = "(NameError: name 'missing' is not defined)"
    assert lab.eventually(logged) == [[f"A-1: 0 {problem}", f"B-2: 600 {problem}"], [f"A-1: 0 {problem}"]]
    assert lab.json("logpoint", "--list") == []


def test_a_logpoint_is_hit_once_by_a_statement_of_several_lines_or_parts(lab: Relive) -> None:
    # Given a point on the second line of a statement, and one on a line with a generator expression
    first = 1 + CODE.splitlines().index('    return {"total": total,')
    said = lab.run("logpoint", "summed", f"main.py:{first + 1}", "gives {total}").stdout
    lab.run("logpoint", "summed", f"main.py:{first - 1}", "rows={len(rows)} limit={limit}")
    # When the function runs
    ident = lab.invoke("summed", EVENT)["invocation_id"]

    # I expect the first to be where its statement begins, and one hit of each
    def logged() -> list[str]:
        rows = [row["body"] for row in lab.json("logs", "--invocation", ident, check=False)]
        return rows if "gives 3" in rows else []

    assert f"the point is at its first line, {first}" in said
    assert lab.eventually(logged) == ["rows=2 limit=5", "gives 3"]
    points = lab.json("logpoint", "--list")
    assert [(row["line"], row["hits"]) for row in points] == [(first, 1), (first - 1, 1)]
    for row in points:
        lab.run("logpoint", "--remove", str(row["number"]))


def test_a_logpoint_of_a_service_is_of_the_request_whose_code_it_is(lab: Relive) -> None:
    lab.run("logpoint", "greets", "service.py:6", "hello {who}", "--hits", "2")

    answers = [lab.request(f"/fn/greets/?{who}") for who in ("ada", "bob")]

    # I expect each request to have its own line
    idents = [answer.headers["x-relive-invocation-id"] for answer in answers]

    def logged() -> dict[str, str]:
        rows = lab.json("logs", "greets", check=False)
        said = {row["invocation_id"]: row["body"] for row in rows if row["body"].startswith("hello")}
        return said if len(said) == 2 else {}

    assert lab.eventually(logged) == dict(zip(idents, ("hello ada", "hello bob"), strict=True))


def test_the_next_invocation_is_held_at_a_line_and_others_go_on(lab: Relive, port: int) -> None:
    # Given a breakpoint for the invocation with a large event
    lab.run("break", "priced", "main.py:26", "--if", "len(event['items']) > 2")
    assert [row["kind"] for row in lab.json("break", "--list")] == ["breakpoint"]

    # When invocations come
    other = lab.invoke("priced", EVENT)
    held = lab.invoke("priced", {"items": [*EVENT["items"], {"sku": "A-1", "count": 9}]})
    after = lab.invoke("priced", {"items": [*EVENT["items"], {"sku": "A-1", "count": 9}]})

    # I expect that one alone to stop, before its line, with its own objects to work with
    assert (other["status"], held["status"], after["status"]) == ("ok", "timeout", "ok")
    assert held["error"]["type"] == "Breakpoint"
    done = lab.run("debug", held["invocation_id"], "-c", "p total, item['count']", "-c", "p price_of('A-1')")
    assert done.stdout.splitlines() == ["(0, 2)", "300"]
    found = conversation(port, opened(lab, "attach", failure=held["invocation_id"], mode="process"))
    assert found[2]["event"]["reason"] == "pause"
    assert found[4]["stackFrames"][0]["line"] == 26
    assert lab.json("break", "--list") == []


def test_who_calls_what_is_held_may_get_an_answer(lab: Relive) -> None:
    lab.run("break", "priced", "main.py:24", "--after", '{"later": true}')
    number = lab.json("break", "--list")[0]["number"]

    answered = lab.request("/fn/priced/", b'{"items": [{"sku": "A-1", "count": 1}]}')

    assert (answered.status, answered.json()) == (200, {"later": True})
    done = lab.run("break", "--remove", str(number), check=False)
    assert f"there is no point {number}" in done.stderr


def test_a_scene_file_is_opened_on_the_standard_streams_of_a_home_without_anything(
    lab: Relive, failed: str
) -> None:
    # Given somebody else's scene file, and an editor that starts the command
    file = lab.home / "scenes" / f"{failed}-1.scene"
    requests = ["initialize", "launch", "attach", "configurationDone", "threads", "disconnect"]
    sent = b"".join(
        encode({"type": "request", "seq": n, "command": name}) for n, name in enumerate(requests, 1)
    )
    with relive_home() as other:
        command = [sys.executable, "-m", "relive", "--home", str(other.home), "dap", str(file)]
        done = subprocess.run(command, input=sent, capture_output=True, timeout=PATIENCE_S, check=True)

    # I expect nothing but messages there, none of its code to run unless it is trusted, and the failure
    answers = [one for one in Decoder().feed(done.stdout) if one["type"] == "response"]
    assert [one["command"] for one in answers] == requests
    assert [one["success"] for one in answers] == [True, False, True, True, True, True]
    assert "--trust" in answers[1]["body"]["error"]["variables"]["text"]
    assert answers[4]["body"]["threads"][0]["name"].startswith("TypeError")
