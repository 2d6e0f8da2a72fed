"""Every listing has a table for people and JSON lines for machines, with the fields that are promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from relive_cli import Relive, relive_home, toml

SOURCE = """
import time
import relive
from opentelemetry import trace

def page(request):
    return {"text": "hello", "json": {"a": 1}, "bytes": b"\\xff\\x00"}[request.get_json()["kind"]]

def asks(event, context):
    return repr(relive.invoke("page", event))

def fine(event, context):
    print("fine")
    with trace.get_tracer("app").start_as_current_span("work", attributes={"n": 1}):
        end = time.process_time() + 0.03  # what samples are taken of: a busy machine gives little of it
        while time.process_time() < end:
            pass
    return {"n": 1}

def fails(event, context):
    raise ValueError("no")
"""
FUNCTIONS = {
    "fine": 'handler = "app:fine"',
    "fails": 'handler = "app:fails"\nretries = 0',
    "page": 'handler = "app:page"\nkind = "http"',
    "asks": 'handler = "app:asks"',
}

FIELDS: dict[tuple[str, ...], str] = {
    ("status",): "version pid store isolation_tier functions workers queue otlp",
    ("doctor",): "name ok detail hint remedy",
    ("functions",): "name kind version url invocations errors p50_ms p95_ms p99_ms cold_starts last_failure",
    ("invoke", "fine"): "invocation_id trace_id status result duration_ms cold",
    ("invoke", "fails"): "invocation_id trace_id status error duration_ms cold",
    ("invoke", "fine", "--async"): "event_id invocation_id trace_id status",
    ("invoke", "fine", "--async", "--wait"): "invocation_id trace_id status duration_ms cold",
    (
        "invocations",
    ): "invocation_id attempt function version trigger status started_at queue_ns init_ns duration_ns"
    " cpu_ns peak_rss_bytes cold error_type error_message trace_id span_id worker_pid isolation_tier",
    ("failures",): "invocation_id attempt function version kind error_type message file line fingerprint"
    " captured_at trace_id count",
    ("failures", "--group"): "invocation_id attempt function version kind error_type message file line"
    " fingerprint captured_at trace_id count",
    ("failure",): "manifest exception event parts",
    ("scene", "last", "--output", "{folder}/x.scene"): "path bytes",
    ("trace", "last"): "trace_id span_id parent_span_id name kind service start_ns duration_ns status"
    " attributes links",
    ("logs", "fine"): "timestamp_ns severity body function invocation_id trace_id span_id",
    ("hot", "fine"): "function name file line self_s total_s self_pct samples invocations",
    ("events",): "event_id function state attempts next_at last_error",
    ("profile", "fine", "--next", "1"): "function count",
    ("sql", "SELECT 1 AS one, 'x' AS two"): "one two",
}
NESTED = {
    "store": "engine address lag_s spooled_rows dropped_rows",
    "workers": "idle busy frozen",
    "queue": "ready leased dead",
    "otlp": "sent failed dropped queued last_error",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with relive_home() as home, home.serving():
        home.run("deploy", str(home.application({"app.py": SOURCE, "relive.toml": toml(FUNCTIONS)})))
        for _ in range(3):
            home.invoke("fine")
        home.invoke("fails")
        home.run("invoke", "fails", "--async", "--wait", check=False)
        yield home


@pytest.mark.parametrize("command", FIELDS, ids=" ".join)
def test_each_listing_has_its_fields_as_json_and_a_form_for_people(
    lab: Relive, command: tuple[str, ...]
) -> None:
    arguments = [part.format(folder=lab.home.parent) for part in command]

    # As JSON: one object per line with at least the promised fields
    rows = lab.json(*arguments, check=False)
    assert rows
    for row in rows:
        assert set(FIELDS[command].split()) <= set(row)
        for name, value in row.items():
            if name.endswith(("_at", "_ns", "_bytes")) and name != "last_failure":
                assert isinstance(value, int), (name, value)
    # ... and for people: text on standard output or, where a function failed, on standard error
    done = lab.run(*arguments, check=False)
    assert (done.stdout + done.stderr).strip()
    assert 'Traceback (most recent call last):\n  File "/work' not in done.stderr
    if command != ("doctor",):  # which may find that this machine lacks something
        assert done.returncode == (1 if "fails" in command else 0)


def test_the_status_has_its_inner_fields(lab: Relive) -> None:
    (status,) = lab.json("status")

    for name, fields in NESTED.items():
        assert set(fields.split()) <= set(status[name])
    assert status["store"]["dropped_rows"] == 0
    assert status["functions"] == len(FUNCTIONS)
    assert status["isolation_tier"] in (0, 1, 2)


def test_the_doctor_beside_a_server_finds_the_tier_that_it_reaches_and_is_quiet(lab: Relive) -> None:
    """It has talked gRPC by then, whose threads no child of a fork has."""
    done = lab.run("doctor", "--json", check=False)
    found = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    lab.run("invoke", "fine")
    (ran,) = lab.json("invocations", "fine", "--limit", "1")

    assert done.stderr == ""
    assert found["engine"]["ok"]
    wanted = lab.json("status")[0]["isolation_tier"]
    assert ran["isolation_tier"] == min(wanted, int(found["isolation"]["detail"][len("tier ")]))


def test_deploy_has_its_fields(lab: Relive) -> None:
    folder = lab.application({"app.py": SOURCE, "relive.toml": toml(FUNCTIONS)})

    for row in lab.json("deploy", str(folder)):
        assert {"function", "version", "code_hash", "seconds"} <= set(row)


def test_filters_hold(lab: Relive) -> None:
    assert {row["function"] for row in lab.json("invocations", "fine")} == {"fine"}
    assert {row["status"] for row in lab.json("invocations", "--status", "error,timeout")} == {"error"}
    assert len(lab.json("invocations", "--limit", "2")) == 2
    assert lab.json("invocations", "--since", "1h")
    assert lab.run("invocations", "nosuch", check=False).returncode == 1
    newest, *_ = lab.json("invocations")
    times = [row["started_at"] for row in lab.json("invocations")]
    assert times == sorted(times, reverse=True)
    assert lab.json("trace", newest["trace_id"][:12])[0]["trace_id"] == newest["trace_id"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["invocations", "--status", "perhaps"],
        ["invocations", "--since", "yesterday"],
        ["invocations", "--limit", "-1"],
        ["events", "--state", "lost"],
        ["export", "--otlp", "http://127.0.0.1:1"],
        ["export", "trace", "last", "--since", "1h", "--otlp", "http://127.0.0.1:1"],
        ["invoke", "fine", "--wait"],
        ["invoke", "fine", "--version", "-1"],
        ["invoke", "fine", "--async", "--event-id", "x" * 257],
        ["sql", "SELECT 1", "--timeout", "99999999h"],
        ["sql", "SELECT 1", "--limit", "99999999999999999999"],
        ["invoke", "fine", "--event", "@/no/such/file"],
        ["flame"],
        ["nosuchcommand"],
        ["deploy", "/no/such/folder"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_wrong_usage_is_2_and_says_how(lab: Relive, arguments: list[str]) -> None:
    done = lab.run(*arguments, check=False)

    assert done.returncode == 2, done
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "ffffffff"],
        ["failure", "ffffffff"],
        ["logs", "--invocation", "ffffffff"],
        ["scene", "ffffffff", "--output", "/tmp/never.scene"],
        ["invoke", "nosuch"],
        ["flame", "nosuch"],
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_1_and_says_so(lab: Relive, arguments: list[str]) -> None:
    done = lab.run(*arguments, check=False)

    assert done.returncode == 1, done
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [["invoke", "f"], ["status"], ["events", "retry", "x"], ["stop"], ["deploy", "/tmp"]]
)
def test_without_a_server_commands_end_with_3_and_the_hint(relive: Relive, command: list[str]) -> None:
    done = relive.run(*command, check=False)

    assert done.returncode == 3, done
    assert "relive serve" in done.stderr


@pytest.mark.parametrize(("kind", "found"), [("text", "hello"), ("json", {"a": 1}), ("bytes", b"\xff\x00")])
def test_a_function_gets_what_an_http_function_answers(lab: Relive, kind: str, found: object) -> None:
    assert lab.invoke("asks", {"kind": kind})["result"] == repr(found)


def test_times_of_a_query_are_dates_for_people_and_numbers_for_machines(lab: Relive) -> None:
    query = "SELECT toDateTime64('2026-02-03 04:05:06.789', 3, 'UTC') AS at, toDateTime(0, 'UTC') AS zero"

    assert "2026-02-03 04:05:06.789" in (shown := lab.run("sql", query).stdout)
    assert "1970-01-01 00:00:00" in shown
    assert lab.json("sql", query) == [{"at": 1770091506789000000, "zero": 0}]


def test_an_invocation_without_lines_is_not_taken_for_none(lab: Relive) -> None:
    # Given one that succeeds without a word: the exception of a failed one is a line
    ident = lab.invoke("asks", {"kind": "json"})["invocation_id"]

    done = lab.run("logs", "--invocation", ident, check=False)

    assert (done.returncode, done.stderr) == (0, f"invocation {ident} wrote no lines\n")


def test_logs_can_be_followed_live(lab: Relive) -> None:
    # Given somebody who follows
    follower = subprocess.Popen(
        [sys.executable, "-m", "relive", "--home", str(lab.home), "logs", "fine", "--follow", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        cwd="/",
    )
    try:
        assert follower.stdout is not None
        # When functions go on, from before the first line is shown
        wanted = {lab.invoke("fine")["invocation_id"] for _ in range(3)}

        # I expect each of their lines, once, without asking again
        seen: list[str] = []
        while not wanted <= set(seen):
            line = follower.stdout.readline()
            assert line
            seen.append(json.loads(line)["invocation_id"])
        assert len(seen) == len(set(seen))
    finally:
        follower.kill()
        follower.wait()
        assert follower.stdout is not None
        follower.stdout.close()
