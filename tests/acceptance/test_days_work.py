"""A day's work at the command line: what a person types, and what they expect it to mean."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.relive_cli import Relive, laboratory, toml

SOURCE = """
import logging, time
import relive

log = logging.getLogger("shop")

def checkout(event, context):
    log.warning("checking out %s", event.get("who"))
    return relive.invoke("pricing", event)

def pricing(event, context):
    return event["sku"]

def tick(event, context):
    raise RuntimeError("tick")

def slow(event, context):
    print("begun", flush=True)
    time.sleep(600)

def web(request):
    if request.path == "/boom":
        raise ValueError("boom")
    return {
        "method": request.method, "path": request.path, "x": request.args.get("x"),
        "team": request.headers.get("X-Team"), "body": request.get_data(as_text=True),
    }
"""
FUNCTIONS = {
    "checkout": 'handler = "app:checkout"',
    "pricing": 'handler = "app:pricing"\nretries = 0',
    "slow": 'handler = "app:slow"\ntimeout_s = 600\nretries = 2\nmax_workers = 1',
    "web": 'handler = "app:web"\nkind = "http"\n[[functions.web.triggers]]\ntype = "http"\npath = "/w"\n'
    'methods = ["GET"]',
    "tick": 'handler = "app:tick"\nretries = 0\n[[functions.tick.triggers]]\ntype = "timer"\n'
    'schedule = "rate(1 day)"',
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with laboratory({"app.py": SOURCE, "relive.toml": toml(FUNCTIONS, "days")}) as home:
        yield home


def begun(lab: Relive, *arguments: str) -> subprocess.Popen[str]:
    """A command whose function runs, and has said that it has begun."""

    def said() -> int:
        return [row["body"] for row in lab.json("logs", "slow", check=False)].count("begun")

    before = said()
    process = subprocess.Popen(
        [sys.executable, "-m", "relive", "--home", str(lab.home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        cwd="/",
        preexec_fn=_hear_ctrl_c,
    )
    lab.eventually(lambda: said() > before)
    return process


def _hear_ctrl_c() -> None:
    """Who runs the tests in the background of a shell has them ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def newest(lab: Relive, function: str) -> dict[str, Any]:
    return lab.json("invocations", function, "--limit", "1")[0]


def test_a_functions_name_means_its_newest_in_every_command(lab: Relive) -> None:
    # Given a failure of checkout, which came of one of pricing, and one of pricing alone
    failed = lab.invoke("checkout", {"who": "ada"})["invocation_id"]
    lab.invoke("pricing", {})

    # I expect the name of the function to be enough
    assert lab.json("failure", "checkout")[0]["manifest"]["invocation_id"] == failed
    ran = next(row for row in lab.json("invocations") if row["invocation_id"] == failed)
    assert {span["trace_id"] for span in lab.json("trace", "checkout")} == {ran["trace_id"]}
    assert lab.run("debug", "checkout", "-c", "p event").stdout == "{'who': 'ada'}\n"
    assert lab.json("replay", "checkout", check=False)[0]["invocation_id"] == failed
    assert {row["invocation_id"] for row in lab.json("logs", "--invocation", "checkout")} == {failed}


def test_what_a_listing_shows_is_what_commands_take(lab: Relive) -> None:
    failed = lab.invoke("checkout", {"who": "bob"})
    ident, trace_id = failed["invocation_id"], failed["trace_id"]

    def shown(*command: str) -> str:
        """The id as it stands in the text."""
        text = lab.run(*command).stdout
        return next(word for word in text.split() if ident.startswith(word) and len(word) >= 13)

    for command in (["failures"], ["invocations"], ["logs", "--no-tracebacks"]):
        short = shown(*command)
        assert lab.json("failure", short)[0]["manifest"]["invocation_id"] == ident
        assert lab.json("trace", short)[0]["trace_id"] == trace_id
    # ... and the end of an id as file names have it, and a trace's beginning
    for text in (ident[-8:], ident[-12:], trace_id[:12], ident.upper()):
        assert lab.json("failure", text)[0]["manifest"]["invocation_id"] == ident, text


def test_last_is_not_what_a_timer_has_done_since(lab: Relive) -> None:
    # Given what somebody did, and failures of a timer after it
    mine = lab.invoke("checkout", {"who": "eve"})["invocation_id"]
    since = newest(lab, "checkout")["started_at"]
    often = toml({"tick2": FUNCTIONS["tick"].replace("functions.tick", "functions.tick2")}, "often")
    often = often.replace("1 day", "1 second")
    lab.run("deploy", str(lab.application({"app.py": SOURCE, "relive.toml": often})))
    later = since + 10**9
    lab.eventually(
        lambda: [row for row in lab.json("failures", "tick2") if row["captured_at"] > later], limit_s=80
    )
    lab.run("undeploy", "often")

    # I expect last to be mine, with a word on the others
    done = lab.run("failure", "last", "--json")
    assert json.loads(done.stdout)["manifest"]["invocation_id"] == mine
    assert "of timers" in done.stderr
    assert {row["invocation_id"] for row in lab.json("logs", "--invocation", "last")} == {mine}
    assert lab.json("trace", "last")[0]["trace_id"] == newest(lab, "checkout")["trace_id"]


def test_errors_under_json_are_json(lab: Relive) -> None:
    for arguments, status in (
        (["failure", "nosuch"], 1),
        (["invocations", "--status", "perhaps"], 2),
        (["invocations", "--limit", "none"], 2),
        (["nosuchcommand"], 2),
        (["rollback", "checkout", "--to", "99"], 1),
        (["logs", "--grep", "("], 2),
    ):
        done = lab.run(*arguments, "--json", check=False)
        assert (done.returncode, done.stdout) == (status, ""), arguments
        error = json.loads(done.stderr)["error"]
        assert error["exit_status"] == status
        assert error["message"]
        assert set(error) == {"type", "message", "where", "hint", "exit_status"}


def test_an_empty_result_is_no_error(lab: Relive) -> None:
    for arguments in (
        ["failures", "web", "--since", "1ms"],
        ["invocations", "--status", "lost"],
        ["logs", "--grep", "nobody wrote this"],
        ["hot", "web", "--since", "1ms"],
        ["events", "web"],
    ):
        done = lab.run(*arguments)
        assert (done.stdout, bool(done.stderr.strip())) == ("", True), arguments


def test_logs_are_chosen_by_level_pattern_and_trace(lab: Relive) -> None:
    one = lab.invoke("checkout", {"who": "zoe", "sku": 1})
    lab.invoke("checkout", {"who": "max", "sku": 1})

    bodies = [row["body"] for row in lab.json("logs", "--level", "warn", "--grep", "out (zoe|max)$")]
    assert bodies == ["checking out zoe", "checking out max"]
    assert [row["body"] for row in lab.json("logs", "--trace", one["trace_id"])] == ["checking out zoe"]
    assert [row["body"] for row in lab.json("logs", one["invocation_id"][:20])] == ["checking out zoe"]


def test_a_trace_goes_into_a_file(lab: Relive, tmp_path: Path) -> None:
    ran = lab.invoke("checkout", {"who": "kim", "sku": 1})

    (row,) = lab.json("export", "trace", ran["invocation_id"][:20], "--output", str(tmp_path / "t.jsonl"))

    assert (row["trace_id"], row["logs"]) == (ran["trace_id"], 1)
    spans, logs = map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines())
    found = [
        span
        for resource in spans["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert len(found) == row["spans"] >= 4
    assert {span["traceId"] for span in found} == {ran["trace_id"]}
    assert logs["resourceLogs"]
    assert lab.run("export", "--since", "1h", "-o", str(tmp_path / "x"), check=False).returncode == 2


def test_ctrl_c_leaves_it_running_and_says_how_to_end_it(lab: Relive) -> None:
    # Given a function that takes its time, and somebody who has no more of it
    process = begun(lab, "invoke", "slow")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)

    # I expect the id, and the command that ends it
    assert process.returncode == 130
    command = next(line.split() for line in told.splitlines() if "relive cancel" in line)
    ident = command[-1]
    assert lab.run(*command[1:]).stdout.startswith(f"invocation {ident} of slow was ended")
    # ... where it stood in a scene
    scene = lab.scene(ident)
    assert scene["manifest"]["kind"] == "cancelled"
    assert scene["exception"][0]["frames"][-1]["function"] == "slow"
    row = lab.eventually(lambda: [r for r in lab.json("invocations", "slow") if r["invocation_id"] == ident])[
        0
    ]
    assert row["status"] == "cancelled"


def test_a_cancelled_event_is_not_tried_again_and_one_that_waits_is_discarded(lab: Relive) -> None:
    ran = lab.invoke("slow", {}, "--async")["invocation_id"]
    waits = lab.invoke("slow", {}, "--async")["invocation_id"]
    lab.eventually(lambda: any(row["state"] == "leased" for row in lab.json("events", "slow")))

    states = {lab.json("cancel", ident)[0]["state"] for ident in (waits, ran)}

    assert states <= {"running", "waiting", "queued"}
    lab.eventually(lambda: all(row["state"] == "dead" for row in lab.json("events", "slow")))
    assert {row["attempts"] for row in lab.json("events", "slow")} <= {1}
    done = lab.run("cancel", ran, check=False)
    assert (done.returncode, "relive invocations" in done.stderr) == (1, True)


@pytest.mark.timeout(400)
def test_a_resolved_group_is_hidden_until_it_comes_back(lab: Relive) -> None:
    def groups(*flags: str) -> list[tuple[str, int]]:
        rows = lab.json("failures", "web", "--group", *flags)
        return [(row["state"], row["count"]) for row in rows]

    # Given two failures of one kind
    idents = [lab.invoke("web", {}, "--path", "/boom")["invocation_id"] for _ in range(2)]
    lab.eventually(lambda: groups() == [("open", 2)], limit_s=60)
    (row,) = lab.json("failures", "web", "--group")
    assert row["versions"] == [1]
    assert 0 < row["first_at"] < row["captured_at"]

    # When they are resolved
    (marked,) = lab.json("failures", "resolve", "web", "--note", "checks the path")
    assert (marked["fingerprint"], marked["state"]) == (row["fingerprint"], "resolved")
    done = lab.run("failures", "web", "--group")
    assert (done.stdout, "1 group is resolved or ignored" in done.stderr) == ("", True)
    assert groups("--all") == [("resolved", 2)]

    # I expect the next one to be a regression
    lab.invoke("web", {}, "--path", "/boom")
    lab.eventually(lambda: groups() == [("regression", 3)], limit_s=60)
    # ... and what is ignored to stay away
    lab.run("failures", "ignore", idents[0][:18])
    assert groups() == []
    lab.run("failures", "reopen", row["fingerprint"][:10])
    assert [row["state"] for row in lab.json("failures", "web")] == ["open"] * 3


def test_http_functions_are_invoked_as_a_client_would(lab: Relive, tmp_path: Path) -> None:
    (tmp_path / "cart.json").write_text('{"n": 1}')
    put = ["--method", "PUT", "--path", "/cart?x=1", "--header", "X-Team: blue"]

    (row,) = lab.json("invoke", "web", *put, "--file", str(tmp_path / "cart.json"))
    assert (row["status"], row["http_status"]) == ("ok", 200)
    assert row["result"] == {"method": "PUT", "path": "/cart", "x": "1", "team": "blue", "body": '{"n": 1}'}
    assert lab.json("trace", row["trace_id"])[0]["trace_id"] == row["trace_id"]

    done = lab.run("invoke", "web", "--path", "/boom", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("500 ")
    ident = done.stderr.split()[-1]
    assert lab.scene(ident)["exception"][0]["type"] == "ValueError"
    assert lab.run("invoke", "web", "--header", "no colon", check=False).returncode == 2
    assert lab.run("invoke", "web", "--path", "/", "--async", check=False).returncode == 2


def test_a_deploy_tells_the_routes_and_the_next_run(lab: Relive) -> None:
    folder = lab.application({"app.py": SOURCE, "relive.toml": toml(FUNCTIONS, "days")})

    told = lab.run("deploy", str(folder)).stdout

    assert f"GET {lab.http}/w" in told
    assert "timer rate(1 day), next " in told
    rows = {row["function"]: row for row in lab.json("deploy", str(folder))}
    assert rows["tick"]["next_run_at"] > 10**18
    assert rows["web"]["triggers"] == ["http GET /w"]


def test_a_version_is_taken_back_and_a_function_out_of_service(lab: Relive) -> None:
    # Given two versions of a function
    def version(number: int) -> str:
        return f"def handler(event, context):\n    return {number}\n"

    config = toml({"answer": 'handler = "a:handler"'}, "versions")
    for number in (1, 2):
        lab.run("deploy", str(lab.application({"a.py": version(number), "relive.toml": config})))
    assert lab.invoke("answer")["result"] == 2

    # When the new one is taken back
    assert lab.json("rollback", "answer")[0]["version"] == 1
    assert lab.invoke("answer")["result"] == 1
    assert lab.run("rollback", "answer", check=False).returncode == 1  # there is none before
    assert lab.json("rollback", "answer", "--to", "2")[0]["version"] == 2
    assert lab.invoke("answer")["result"] == 2

    # ... and the application out of service
    assert lab.json("undeploy", "versions") == [{"function": "answer"}]
    assert lab.run("invoke", "answer", check=False).returncode == 1
    assert "answer" not in {row["name"] for row in lab.json("functions")}
    lab.run("rollback", "answer")
    assert lab.invoke("answer")["result"] == 2
    # ... the next deploy has a number of its own
    lab.run("rollback", "answer", "--to", "1")
    new = lab.application({"a.py": version(3), "relive.toml": config})
    assert lab.json("deploy", str(new))[0]["version"] == 3
    lab.run("undeploy", "answer")


@pytest.mark.parametrize("flags", [[], ["--http"]])
def test_what_init_writes_runs(lab: Relive, tmp_path: Path, flags: list[str]) -> None:
    folder = tmp_path / f"hello{len(flags)}"
    assert "relive deploy" in lab.run("init", str(folder), *flags).stdout
    lab.run("deploy", str(folder))

    if flags:
        assert lab.json("invoke", folder.name, "--path", "/?name=Ada")[0]["result"] == {
            "greeting": "Hello, Ada"
        }
    else:
        found = lab.json("invoke", folder.name, "--event", f"@{folder / 'event.json'}")[0]
        assert found["result"] == {"greeting": "Hello, Ada"}
    again = lab.run("init", str(folder), check=False)
    assert (again.returncode, "relive.toml already" in again.stderr) == (4, True)
    lab.run("undeploy", folder.name)


def saved(path: Path, text: str) -> None:
    """At once: a watcher that looks between two steps would deploy half of it."""
    draft = path.with_suffix(".tmp")
    draft.write_text(text)
    draft.replace(path)


def test_a_watched_folder_is_deployed_when_it_changes(lab: Relive) -> None:
    config = toml({"watched": 'handler = "a:handler"'}, "watched")
    folder = lab.application({"a.py": "def handler(event, context): return 1\n", "relive.toml": config})
    process = subprocess.Popen(
        [sys.executable, "-m", "relive", "--home", str(lab.home), "deploy", str(folder), "--watch", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=_hear_ctrl_c,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["version"] == 1

        # A mistake is told, and the next change puts it right
        saved(folder / "a.py", "def handler(event, context) return 2\n")
        assert "not valid Python" in json.loads(process.stderr.readline())["error"]["message"]
        assert lab.invoke("watched")["result"] == 1
        saved(folder / "a.py", "def handler(event, context): return 3\n")
        assert json.loads(process.stdout.readline())["version"] == 2
        assert lab.invoke("watched")["result"] == 3
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    lab.run("undeploy", "watched")


def test_functions_and_events_need_no_server() -> None:
    with laboratory({"app.py": SOURCE, "relive.toml": toml(FUNCTIONS, "days")}) as home:
        home.invoke("pricing", {}, "--async")
        home.eventually(lambda: [row for row in home.json("events") if row["state"] == "dead"])
        with_server = {row["name"]: row for row in home.json("functions")}, home.json("events", "pricing")
        home.run("stop")

        functions = home.json("functions")
        assert {row["name"] for row in functions} == set(with_server[0]) == set(FUNCTIONS)
        assert next(row for row in functions if row["name"] == "pricing")["errors"] == 1
        assert home.json("events", "pricing") == with_server[1]
        assert home.json("events", "--state", "leased") == []
        assert "no server runs" in home.run("functions").stderr
        assert home.run("events", "nosuch", check=False).returncode == 1
