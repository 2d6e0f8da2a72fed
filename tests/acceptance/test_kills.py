"""Processes of the platform that are killed: what was answered is recorded, what was cut off has a row."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from pathlib import Path

from kill_rounds import FAILURES, run_rounds
from relive_cli import Relive, toml
from relive_platform.engine.workers.cgroups.places import find_places

FILES = {
    "app.py": """
import time

def slow(event, context):
    print("begun", flush=True)
    time.sleep(600)
""",
    "relive.toml": toml({"slow": 'handler = "app:slow"\ntimeout_s = 600\nmax_workers = 2\nretries = 0'}),
}


def test_no_answer_is_lost_when_any_process_is_killed_under_load(tmp_path: Path) -> None:
    # Given a server under load, of whose processes one after the other is killed
    outcome = run_rounds(tmp_path, rounds=6, seed=20)
    # I expect a row for each answer, once, a scene for each failure, and no false count
    assert outcome.clean, outcome
    assert len(outcome.rounds) == 4
    assert outcome.failures > FAILURES


def _cut_off(relive: Relive, *also: str) -> int:
    """Kill the server, and others of its processes, in the middle of a synchronous and of an asynchronous
    invocation; gives the server's pid."""
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
        status = relive.json("status")[0]
        for pid in [*(status[name]["pid"] for name in also), status["pid"]]:
            os.kill(pid, signal.SIGKILL)
        caller.join()
        return int(status["pid"])


def test_attempts_cut_off_by_a_kill_of_the_server_have_rows_when_it_starts_again(relive: Relive) -> None:
    killed = _cut_off(relive)
    assert _groups(killed) or not find_places().found
    with relive.serving():
        rows = _rows(relive)
        assert {row["trigger"] for row in rows} == {"http", "queue"}
        assert all("the server ended" in json.dumps(row) for row in rows)
        status = relive.json("status")[0]
        assert status["store"]["dropped_rows"] == 0
        # ... and no cgroup left of the server that was killed
        relive.eventually(lambda: not _groups(killed))


def test_they_have_rows_while_no_server_runs_too_and_when_nobody_was_left_to_tell(relive: Relive) -> None:
    # Given that the process which could have told of it was killed as well
    _cut_off(relive, "collector", "store")
    # I expect both in what is read of the home
    rows = _rows(relive)
    assert [row["status"] for row in rows] == ["lost", "lost"]
    assert "lost" in relive.run("invocations").stdout


def _groups(pid: int) -> list[Path]:
    """The cgroups of a server, one for each controller that can be had."""
    return [group for place in find_places().found.values() for group in place.folder.glob(f"relive-{pid}-*")]


def _rows(relive: Relive) -> list[dict[str, object]]:
    found: list[dict[str, object]] = relive.eventually(lambda: len(found := _lost(relive)) == 2 and found, 60)
    return found


def _lost(relive: Relive) -> list[dict[str, object]]:
    return [row for row in relive.json("invocations", check=False) if row["status"] == "lost"]
