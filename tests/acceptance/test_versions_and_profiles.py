"""Versions stay what they were; profiles say which line is hot, and why an invocation was slow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
import slow_functions
from relive.commands.records.slow import source_of
from relive.session import Session
from relive_cli import Relive, relive_home, toml
from relive_platform.api import control_pb2 as pb
from relive_views.profiles.why_slow import why_slow

SOURCE = """
import time

def hot(event, context):
    total = 0
    for number in range(400_000):
        total += number * number % 7  # the hot line
    return cold(total)

def cold(total):
    return total + 1

def version(event, context):
    return {"version": context.function_version, "code": CODE}

CODE = 1
"""
FUNCTIONS = {"hot": 'handler = "app:hot"', "version": 'handler = "app:version"'}
HOT_LINE = SOURCE.splitlines().index("        total += number * number % 7  # the hot line") + 1


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with relive_home() as home:
        home.environment = {
            "RELIVE_WAITING_WORKERS": "0"
        }  # so that the first invocation of each is a cold start
        with home.serving():
            home.run("deploy", str(home.application({"app.py": SOURCE, "relive.toml": toml(FUNCTIONS)})))
            yield home


@pytest.fixture(scope="module")
def session(lab: Relive) -> Iterator[Session]:
    """What commands work with, in this process."""
    found = Session.create(lab.home, "", {**os.environ, **lab.environment})
    yield found
    found.close()


def test_each_deploy_is_a_version_that_stays(lab: Relive) -> None:
    # Given a second version
    changed = SOURCE.replace("CODE = 1", "CODE = 2")
    folder = lab.application({"app.py": changed, "relive.toml": toml(FUNCTIONS)})
    deployed = lab.json("deploy", str(folder))
    assert {(row["function"], row["version"]) for row in deployed} == {("hot", 2), ("version", 2)}

    # I expect the latest by default, the first on demand, and each recorded with its own
    assert lab.invoke("version")["result"]["code"] == 2
    first = lab.invoke("version", {}, "--version", "1")
    assert first["result"] == {"version": "1", "code": 1}
    assert first["version"] == 1
    assert [row["version"] for row in lab.json("invocations", "version")] == [1, 2]
    done = lab.run("invoke", "version", "--version", "9", check=False)
    assert done.returncode == 1
    assert "9" in done.stderr

    # ... and the same code again to be no new one
    assert all(row["unchanged"] and row["version"] == 2 for row in lab.json("deploy", str(folder)))


def test_the_hot_line_is_named(lab: Relive) -> None:
    for _ in range(10):
        lab.invoke("hot")

    rows = lab.json("hot", "hot")
    assert rows[0]["line"] in (HOT_LINE, HOT_LINE - 1)
    assert rows[0]["name"] == "hot"
    assert rows[0]["self_pct"] > 50
    (function, *_) = lab.json("hot", "hot", "--by", "function")
    assert function["name"] == "hot"
    assert "hot" in lab.run("flame", "hot").stdout


def test_exact_profiles_of_the_next_invocations_open_in_speedscope(lab: Relive) -> None:
    # Given that the next two are asked for
    lab.run("profile", "hot", "--next", "2")
    invoked = [lab.invoke("hot")["invocation_id"] for _ in range(3)]

    # I expect exactly those two
    rows = lab.json("sql", "SELECT InvocationId AS id FROM profiles WHERE Engine = 'precise'")
    assert {row["id"] for row in rows} == set(invoked[:2])

    # ... as a file that speedscope reads
    path = lab.home.parent / "hot.speedscope.json"
    lab.run("flame", "hot", "--precise", "--format", "speedscope", "--output", str(path))
    document = json.loads(path.read_text())
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert "hot" in names
    (profile,) = document["profiles"]
    assert profile["endValue"] > profile["startValue"]
    assert all(0 <= event["frame"] < len(names) for event in profile["events"])
    opened: list[int] = []
    for event in profile["events"]:
        if event["type"] == "O":
            opened.append(event["frame"])
        else:
            assert opened.pop() == event["frame"]
    assert not opened

    # ... and as a page
    assert "<html" in lab.run("flame", "hot", "--precise", "--format", "html").stdout.lower()


def test_one_invocation_can_be_profiled_exactly(lab: Relive) -> None:
    row = lab.invoke("hot", {}, "--precise")

    shown = lab.run("flame", row["invocation_id"], "--precise").stdout

    assert "hot" in shown
    assert lab.run("flame", "nosuchfunction", check=False).returncode == 1


def _invoke(session: Session, name: str, event: object) -> str:
    answer = session.control().invoke(pb.InvokeRequest(function=name, event=json.dumps(event).encode()))
    assert answer.status == "ok", (name, answer.error)
    return answer.invocation_id


def test_why_an_invocation_was_slow_is_said_of_nearly_all_that_are_slow_in_known_ways(
    lab: Relive, session: Session
) -> None:
    # Given functions that answer quickly, until they are slow in a way that was written down beforehand
    slow = {}
    with slow_functions.peer() as url:
        files = {**slow_functions.FILES, "relive.toml": slow_functions.toml_of(url)}
        lab.run("deploy", str(lab.application(files)))
        for name in slow_functions.ANSWERS:
            usual, bad = slow_functions.events(name)
            ids = [_invoke(session, name, usual) for _ in range(5)]
            slow[name] = ids[0] if name == "cold_import" else _invoke(session, name, bad)

    # When each is asked for
    store = session.store()
    answers = {name: why_slow(store, ident, source=source_of(session)) for name, ident in slow.items()}

    # I expect the right cause of at least 18 of the 20
    wrong = {
        name: (found.answer.cause, found.answer.sentence, found.answer.now, found.answer.normal)
        for name, found in answers.items()
        if found.answer.cause != slow_functions.ANSWERS[name]
    }
    assert len(answers) == 20
    assert len(wrong) <= 2, wrong

    # ... and the command to say it, with the line
    (row,) = lab.json("why-slow", slow["thread_lock"])
    assert row["cause"] == "lock" or "thread_lock" in wrong
    assert row["place"].startswith("waiting.py:")
    assert "instead of" in row["sentence"]
    assert {part["part"] for part in row["parts"]} >= {"queue", "init", "cpu", "gc", "wait"}
    assert row["flame"]["nodes"][0]["after_ns"] > 0
    shown = lab.run("why-slow", slow["thread_lock"]).stdout
    assert row["sentence"] in shown
    assert "ms per invocation" in shown


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO invocations (InvocationId) VALUES ('evil')",
        "DROP TABLE invocations",
        "TRUNCATE TABLE otel_logs",
        "ALTER TABLE invocations DELETE WHERE 1",
        "SELECT 1; DROP TABLE invocations",
        "CREATE TABLE evil (a UInt8) ENGINE = Memory",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 's String')",
        "SELECT 1 INTO OUTFILE '/tmp/relive-evil.txt'",
        "SET readonly = 0",
        "SELECT count() FROM numbers(1000000000000) SETTINGS readonly = 0",
        "SYSTEM SHUTDOWN",
        "nonsense",
        "",
    ],
)
def test_sql_reads_and_nothing_else(lab: Relive, query: str) -> None:
    lab.invoke("version")
    (before,) = lab.json("sql", "SELECT count() AS n FROM invocations")

    done = lab.run("sql", query, check=False)

    assert done.returncode in (1, 2, 4), done.stdout
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert lab.json("sql", "SELECT count() AS n FROM invocations") == [before]
