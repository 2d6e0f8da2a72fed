"""Processes of the platform that are killed: what was answered is recorded, what was cut off has a row."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from pathlib import Path

import pytest
from kill_rounds import run_rounds
from relive_cli import Relive, toml

FILES = {
    "app.py": """
import time

def slow(event, context):
    print("begun", flush=True)
    time.sleep(30)
""",
    "relive.toml": toml({"slow": 'handler = "app:slow"\ntimeout_s = 60\nmax_workers = 2\nretries = 0'}),
}


def test_no_answer_is_lost_when_any_process_is_killed_under_load(tmp_path: Path) -> None:
    # Given a server under load, of whose processes one after the other is killed
    outcome = run_rounds(tmp_path, rounds=6, seed=20)
    # I expect a row for each answer, once, a scene for each failure, and no false count
    assert outcome.clean, outcome
    assert len(outcome.rounds) == 4
    assert outcome.failures > 10


@pytest.mark.parametrize("collector_too", [False, True])
def test_an_attempt_cut_off_by_a_kill_of_the_server_has_a_row(relive: Relive, collector_too: bool) -> None:
    # Given a synchronous and an asynchronous invocation that run
    with relive.serving():
        relive.run("deploy", str(relive.application(FILES)))

        def post() -> None:
            with contextlib.suppress(OSError):
                relive.request("/fn/slow/", b"{}")

        caller = threading.Thread(target=post)
        caller.start()
        answer = relive.request("/fn/slow/", b"{}", {"x-amz-invocation-type": "Event"})
        assert answer.status == 202
        relive.eventually(lambda: relive.json("status")[0]["workers"]["busy"] == 2)
        # When the server is killed, and perhaps the process that could have told of it
        status = relive.json("status")[0]
        pids = [status["collector"]["pid"], status["pid"]] if collector_too else [status["pid"]]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        caller.join()
    # I expect both to have a row, while no server runs
    rows = _rows(relive)
    assert [row["status"] for row in rows] == ["lost", "lost"]
    assert {row["trigger"] for row in rows} == {"http", "queue"}
    assert all("the server ended" in json.dumps(row) for row in rows)
    assert "lost" in relive.run("invocations").stdout
    # ... still after the next start, and the event to run again as its next attempt or to be dead
    with relive.serving():
        assert [row["status"] for row in _rows(relive)].count("lost") == 2
        assert relive.json("status")[0]["store"]["dropped_rows"] == 0


def _rows(relive: Relive) -> list[dict[str, object]]:
    found: list[dict[str, object]] = relive.eventually(
        lambda: [row for row in relive.json("invocations", check=False) if row["status"] == "lost"], 60
    )
    return found
