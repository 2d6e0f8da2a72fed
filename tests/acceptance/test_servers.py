"""Servers that are started twice, killed, or lose their store: nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from patience import PATIENCE_S
from relive_cli import Relive, toml

FILES = {
    "app.py": """
import time

def quick(request):
    print("event", request.get_json()["n"])
    return {"n": request.get_json()["n"]}

def slow(event, context):
    print("event", event["n"], flush=True)
    time.sleep(0.2)
    return event["n"]
""",
    "relive.toml": toml(
        {"quick": 'handler = "app:quick"\nkind = "http"', "slow": 'handler = "app:slow"\nmax_workers = 2'}
    ),
}


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_failed_workers_that_are_kept_do_not_outlive_a_killed_server(relive: Relive) -> None:
    # Given a function that failed, whose process is kept, stopped
    code = "def handler(event, context):\n    return event['sku']\n"
    with relive.serving():
        app = relive.application({"m.py": code, "relive.toml": toml({"f": 'handler = "m:handler"'})})
        relive.run("deploy", str(app))
        relive.run("invoke", "f", "--event", "{}", check=False)
        relive.eventually(lambda: relive.json("status")[0]["workers"]["frozen"] == 1)
        worker = relive.json("invocations")[0]["worker_pid"]
        assert not gone(worker)

        # When the server is killed
        kill(relive.pid())

        # Then it leaves: stopped as it is, it cannot notice by itself
        relive.eventually(lambda: gone(worker))


def test_a_taken_port_is_named_with_the_hint(relive: Relive) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = relive.run("serve", "--http", f"127.0.0.1:{port}", check=False)

    assert done.returncode in (1, 2)
    assert str(port) in done.stderr
    assert "--http" in done.stderr
    assert "Traceback" not in done.stderr
    assert relive.run("status", check=False).returncode == 3


def test_a_server_that_does_not_start_says_why_and_no_more(relive: Relive) -> None:
    for arguments, named in (
        (["--home", "/dev/null/relive", "serve"], "/dev/null"),
        (["--home", "/dev/null/relive", "serve", "--daemon"], "/dev/null"),
    ):
        done = relive.run(*arguments, "--http", "127.0.0.1:0", check=False)

        assert done.returncode == 1, done
        assert named in done.stderr
        assert done.stderr.count("hint: ") == 1
        assert "Traceback" not in done.stderr


def test_a_server_starts_without_its_store_says_so_and_runs_functions(relive: Relive) -> None:
    # Given a store that nobody can reach
    with relive.serving("--store", "clickhouse://me:hunter2@127.0.0.1:1/x"):
        # When a function is deployed and invoked
        relive.run("deploy", str(relive.application(FILES)))
        answer = relive.invoke("slow", {"n": 1})
        # I expect it to run
        assert answer["status"] == "ok"
        # ... the state to be said, with a reason and without the password
        (status,) = relive.json("status")
        assert status["store"]["state"] == "down"
        assert "127.0.0.1:1" in status["store"]["reason"]
        # ... reads to say the same
        done = relive.run("invocations", check=False)
        assert done.returncode == 3
        assert "store is not there" in done.stderr
        assert "127.0.0.1:1" in done.stderr
        assert "Traceback" not in done.stderr
        # ... the functions to be listed all the same, without numbers that nobody could read
        listed = relive.run("functions", "--json", check=False)
        rows = [json.loads(line) for line in listed.stdout.splitlines()]
        assert [(row["name"], row["version"], row["errors"]) for row in rows] == [
            ("quick", 1, None),
            ("slow", 1, None),
        ]
        assert listed.returncode == 3
        assert json.loads(listed.stderr)["error"]["type"] == "StoreUnavailable"
        # ... nothing that is said to show the password
        failures = relive.run("failures", check=False)
        assert failures.returncode == 3
        for said in (done, failures):
            assert "hunter2" not in said.stdout + said.stderr
        assert "clickhouse://me:***@127.0.0.1:1/x" in done.stderr
        assert status["store"]["address"] == "clickhouse://me:***@127.0.0.1:1/x"
        # ... the row to wait in the spool
        relive.eventually(lambda: relive.json("status")[0]["store"]["spooled_rows"])
        # ... without a traceback in the server's log
        log = (relive.home / "run" / "server.log").read_text()
        assert "Traceback" not in log
        assert "hunter2" not in log
        # ... and the password in no command line
        assert not [line for line in relive.processes() if "hunter2" in line]


def test_a_damaged_store_is_named_and_what_was_recorded_comes_back_with_it(relive: Relive) -> None:
    # Given a home whose store was damaged while no server ran
    with relive.serving():
        relive.run("deploy", str(relive.application(FILES)))
        relive.invoke("slow", {"n": 1})
    store = relive.home / "store"
    store.rename(relive.home / "kept")
    store.write_text("this was a folder")
    # When a server starts, and a function is invoked
    with relive.serving():
        assert relive.invoke("slow", {"n": 2})["status"] == "ok"
        (status,) = relive.json("status")
        assert status["store"]["state"] != "ready"
        assert status["store"]["reason"]
        assert "Traceback" not in status["store"]["reason"]
        # ... what to do about it to be said
        told = relive.run("invocations", check=False).stderr
        assert "damaged or unreadable" in told
        assert told.count("hint: ") == 1
        assert f"mv {store} {store}.damaged" in told.partition("hint: ")[2]
        # ... and the store is there again
        store.unlink()
        (relive.home / "kept").rename(store)
        # I expect the server to find it by itself, and both rows in it
        relive.eventually(lambda: relive.json("status")[0]["store"]["state"] == "ready", 60)
        relive.eventually(lambda: len(relive.json("invocations", check=False)) == 2, 120)
        assert relive.json("status")[0]["store"]["dropped_rows"] == 0


def test_a_second_server_on_one_home_is_refused_and_the_first_goes_on(server: Relive) -> None:
    for flags in (["--daemon"], []):
        done = server.run("serve", "--http", "127.0.0.1:0", *flags, check=False)
        assert done.returncode in (1, 2)
        assert str(server.home) in done.stderr
        assert "hint" in done.stderr
        assert "Traceback" not in done.stderr
    assert server.json("status")[0]["pid"] == server.pid()


def test_a_home_is_backed_up_while_its_server_runs(relive: Relive, tmp_path: Path) -> None:
    # Given a server that has accepted events, some of which wait
    file, ended = tmp_path / "b.tar", tmp_path / "ended.tar"
    with relive.serving():
        relive.run("deploy", str(relive.application(FILES)))
        sent = {relive.invoke("slow", {"n": n}, "--async")["event_id"] for n in range(4)}

        # When its home is backed up, by a process of its own
        told = relive.json("store", "backup", str(file))[0]

        # I expect its server to go on
        sent_later = relive.invoke("slow", {"n": 99}, "--async")["event_id"]
        # ... and no copies to be left beside
        assert not list((relive.home / "run").glob("backup-*"))
        assert not list(tmp_path.glob("*.part"))

        # When a backup is ended while it waits for a database that somebody else has locked
        with contextlib.closing(sqlite3.connect(relive.home / "registry.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            command = [
                sys.executable,
                "-m",
                "relive",
                "--home",
                str(relive.home),
                "store",
                "backup",
                str(ended),
            ]
            backup = subprocess.Popen(command)
            relive.eventually(lambda: any(tmp_path.glob("ended*.part")))
            backup.terminate()
            code = backup.wait(PATIENCE_S)

        # I expect nothing of it to be left
        assert code == 128 + signal.SIGTERM
        assert not list(tmp_path.glob("ended*"))
        assert not list((relive.home / "run").glob("backup-*"))

    # When another home is made of it
    other_home = Relive(relive.home.parent / f"{relive.home.name}-restored")
    try:
        other_home.run("store", "restore", str(file))
        # I expect the events that were accepted before to be there, and their functions
        with contextlib.closing(sqlite3.connect(other_home.home / "events.db")) as events:
            assert events.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            there = {row[0] for row in events.execute("SELECT id FROM events UNION SELECT id FROM finished")}
        assert sent <= there
        assert sent_later not in there
        with contextlib.closing(sqlite3.connect(other_home.home / "registry.db")) as registry:
            assert registry.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert told["files"] > 3
    finally:
        shutil.rmtree(other_home.home, ignore_errors=True)


def test_wrong_settings_are_refused_by_name(relive: Relive) -> None:
    for flags, environment, named in (
        (["--http", "nowhere"], {}, "HOST:PORT"),
        (["--http", "0.0.0.0:0"], {}, "RELIVE_TOKEN"),
        ([], {"RELIVE_TIMEOUT_S": "soon"}, "RELIVE_TIMEOUT_S"),
        (["--store", "mysql://x"], {}, "mysql"),
    ):
        relive.environment = environment
        done = relive.run("serve", *flags, check=False)
        assert done.returncode in (1, 2), done
        assert named in done.stderr
        assert "Traceback" not in done.stderr


def test_what_a_server_in_the_background_has_to_say_at_its_start_is_seen(relive: Relive) -> None:
    # Given a setting that is none, and a home that others could read
    relive.environment = {"RELIVE_OTPL": "http://127.0.0.1:1"}
    relive.home.mkdir(exist_ok=True)
    relive.home.chmod(0o755)

    # When the server is started in the background
    done = relive.run("serve", "--daemon", "--http", "127.0.0.1:0")
    relive.run("stop")

    # I expect both to be said where it was started
    assert "note: unknown setting RELIVE_OTPL; did you mean RELIVE_OTLP?" in done.stderr
    assert "was open to other users (mode 0755)" in done.stderr


def test_events_that_were_acknowledged_run_after_the_server_was_killed(relive: Relive) -> None:
    # Given a server that has accepted more events than it can run
    accepted = []
    with relive.serving():
        relive.run("deploy", str(relive.application(FILES)))
        for number in range(30):
            answer = relive.request(
                "/fn/slow/", json.dumps({"n": number}).encode(), {"x-amz-invocation-type": "Event"}
            )
            assert answer.status == 202
            accepted.append(answer.json()["event_id"])

        # When it is killed
        victim = relive.pid()
        kill(victim)
        relive.eventually(lambda: gone(victim))

    # ... I expect no worker to survive it
    relive.eventually(lambda: not [line for line in relive.processes() if "bootstrap" in line])
    assert relive.run("status", check=False).returncode == 3

    # When the next one starts, over the lock and the files that the first left
    assert (relive.home / "run" / "server.json").exists()
    with relive.serving():
        # I expect each event to run, and what was recorded before to be there
        relive.eventually(lambda: not relive.json("events", "--limit", "1000"), 120)
        ran = relive.json("sql", "SELECT DISTINCT EventId AS id FROM invocations WHERE Status = 'ok'")
        assert {row["id"] for row in ran} == set(accepted)
        assert relive.json("status")[0]["queue"]["dead"] == 0


def test_a_store_that_is_killed_hinders_no_invocation_and_misses_nothing(relive: Relive) -> None:
    with relive.serving():
        relive.run("deploy", str(relive.application(FILES)))
        (status,) = relive.json("status")
        store = status["store"]["pid"]

        # When the store hangs, and is killed, while a function is invoked
        for number in range(300):
            if number == 50:
                os.kill(store, signal.SIGSTOP)
            if number == 200:
                kill(store)
            answer = relive.request(
                "/fn/quick/", json.dumps({"n": number}).encode(), {"content-type": "application/json"}
            )
            assert answer.json() == {"n": number}

        # I expect answers that wait for no store, and everything in it once it is back
        count = "SELECT count() AS n FROM invocations FINAL"
        relive.eventually(
            lambda: (rows := relive.json("sql", count, check=False)) and rows[0]["n"] == 300, 120
        )
        (status,) = relive.json("status")
        assert status["store"]["dropped_rows"] == 0
        assert status["store"]["restarts"] >= 1
        assert status["store"]["pid"] != store


def test_stop_leaves_no_process(relive: Relive) -> None:
    with relive.serving():
        relive.run("deploy", str(relive.application(FILES)))
        assert relive.invoke("slow", {"n": 1})["result"] == 1
        assert len(relive.processes()) > 3

    relive.eventually(lambda: not relive.processes())
    done = relive.run("stop", check=False)
    assert done.returncode == 3
    assert "relive serve" in done.stderr


def test_a_failure_without_store_and_scene_is_told_as_far_as_the_server_knows_it(relive: Relive) -> None:
    # Given a failure of a server whose store nobody can reach, and whose disk took no scene
    code = "def handler(event, context):\n    return event['sku']\n"
    with relive.serving("--store", "clickhouse://127.0.0.1:1/x"):
        app = relive.application({"m.py": code, "relive.toml": toml({"f": 'handler = "m:handler"'})})
        relive.run("deploy", str(app))
        ident = relive.invoke("f", {})["invocation_id"]
        relive.eventually(lambda: relive.json("status")[0]["workers"]["frozen"] == 1)
        (scene,) = relive.eventually(lambda: list((relive.home / "scenes").glob(f"{ident}*.scene")))

        # When it is asked for by its function's name
        done = relive.run("failure", "f", check=False)
        # I expect the home's own scene
        assert done.returncode == 0
        assert "KeyError: 'sku'" in done.stdout
        assert "the store cannot be read" in done.stderr

        # When its scene is gone, which was written once more with its heap
        relive.eventually(lambda: any(name.startswith("heap/") for name in ZipFile(scene).namelist()))
        scene.unlink()
        for arguments in (["failure", "f"], ["failure", ident[:13]], ["failure"], ["failures"]):
            done = relive.run(*arguments, check=False)
            # I expect what the server keeps, how to look into it, and the store's error
            assert done.returncode == 3, done
            told, _, error = done.stderr.partition("relive: ")
            assert "f v1: KeyError: 'sku'" in told
            assert f"relive debug {ident}" in told
            assert "store is not there" in error
        # ... and a session with the process to begin
        assert "{}" in relive.run("debug", ident, "-c", "p event").stdout
        # ... nothing to be said of others
        assert "KeyError" not in relive.run("failure", "g", check=False).stderr
