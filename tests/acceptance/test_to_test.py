"""A failure becomes a test: it fails the same way without a server, and passes once the code is mended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from relive_cli import Relive, laboratory, toml

SOURCE = """
import json, os, random, time, urllib.request
from datetime import datetime

def prices(event, context):
    with urllib.request.urlopen(event["url"]) as answer:
        quote = json.load(answer)
    return quote["cents"] * event["count"]

def lottery(event, context):
    drawn = random.randrange(10**9)
    raise RuntimeError(f"drew {drawn} in {datetime.now():%Y-%m-%d %H:%M}")

def basket(request):
    return {"total": request.get_json()["items"][0]["price"]}

def crashes(event, context):
    os.abort()

def reads(event, context):
    return event

def large(event, context):
    return "x" * event["size"]

def stubborn(event, context):
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            continue

def forgets(event, context):
    import threading
    charge = threading.Thread(target=lambda: event["card"])
    charge.start()
    charge.join()
    return "charged"

async def loses(event, context):
    import asyncio
    async def charge():
        return event["card"]
    task = asyncio.create_task(charge())
    await asyncio.sleep(0.01)
    return "charged"
"""
FILES = {
    "shop.py": SOURCE,
    "relive.toml": toml(
        {
            name: f'handler = "shop:{name}"'
            for name in ("prices", "lottery", "crashes", "reads", "forgets", "loses")
        }
        | {"large": 'handler = "shop:large"\nresult_limit_bytes = 10_000'}
        | {"stubborn": 'handler = "shop:stubborn"\ntimeout_s = 0.5'}
        | {"basket": 'handler = "shop:basket"\nkind = "http"'}
    ),
}


class _Quotes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"error": "sold out", "token": "tok-9f8e7d6c5b4a"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with laboratory(FILES) as server:
        yield server


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A working copy of the application, with a folder for tests."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "tests").mkdir()
    return tmp_path


def run_pytest(path: Path, *, plugins: bool = False) -> subprocess.CompletedProcess[str]:
    """With `plugins` that happen to be installed, here those of Relive's own tests."""
    own = {} if plugins else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(path.parent),
            str(path),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=path.parent,
        env={**os.environ, **own},
    )


def write_test(lab: Relive, failed: str, application: Path) -> Path:
    (row,) = lab.json("scene", failed, "--to-test", str(application / "tests"), "--code", str(application))
    return Path(row["path"])


def test_a_failure_on_what_a_server_answered_is_a_test_without_that_server(
    lab: Relive, application: Path
) -> None:
    # Given a function that failed on an answer, whose server is gone now
    server = HTTPServer(("127.0.0.1", 0), _Quotes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/quote"
    failed = lab.invoke("prices", {"url": url, "count": 2})["invocation_id"]
    lab.scene(failed)
    server.shutdown()
    server.server_close()

    # When it is written as a test, I expect it to fail the same way, without the secret of the answer
    test = write_test(lab, failed, application)
    assert "tok-9f8e7d6c5b4a" not in test.read_text()
    done = run_pytest(test, plugins=True)
    assert done.returncode == 1
    assert "KeyError: 'cents'" in done.stdout
    assert "shop.py:8" in done.stdout

    # and to pass when the code is mended
    mended = SOURCE.replace('return quote["cents"]', 'return quote.get("cents", 0)')
    (application / "shop.py").write_text(mended)
    done = run_pytest(test)
    assert done.returncode == 0, done.stdout


def test_chance_and_clock_repeat_in_the_test(lab: Relive, application: Path) -> None:
    failed = lab.invoke("lottery")
    lab.scene(failed["invocation_id"])
    done = run_pytest(write_test(lab, failed["invocation_id"], application))
    assert failed["error"]["message"] in done.stdout


def test_a_request_is_repeated(lab: Relive, application: Path) -> None:
    answer = lab.request("/fn/basket/", b'{"items": []}', {"Content-Type": "application/json"})
    assert answer.status == 500
    (newest,) = lab.eventually(lambda: lab.json("failures", "basket", "--limit", "1", check=False))
    test = write_test(lab, newest["invocation_id"], application)
    done = run_pytest(test)
    assert "IndexError" in done.stdout
    assert done.returncode == 1


def test_a_crash_ends_a_process_of_its_own(lab: Relive, application: Path) -> None:
    failed = lab.invoke("crashes")["invocation_id"]
    lab.scene(failed)
    done = run_pytest(write_test(lab, failed, application))
    assert done.returncode == 1
    assert "SIGABRT" in done.stdout


def test_what_cannot_be_a_test_is_refused_with_a_reason(lab: Relive, application: Path) -> None:
    # Given an event that could not be read
    bad = application / "bad.json"
    bad.write_text('{"a": NaN}')
    failed = lab.invoke("reads", f"@{bad}")["invocation_id"]
    lab.scene(failed)

    # When its test is asked for, I expect to be told why there is none
    done = lab.run(
        "scene", failed, "--to-test", str(application / "tests" / "test_x.py"),
        "--code", str(application), check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "never called" in done.stderr

    # and a file that somebody wrote is not overwritten
    own = application / "tests" / "test_own.py"
    own.write_text("# mine\n")
    done = lab.run("scene", "last", "--to-test", str(own), check=False)
    assert done.returncode == 2
    assert own.read_text() == "# mine\n"


def test_without_the_code_the_hint_is_named(lab: Relive, tmp_path: Path) -> None:
    failed = lab.invoke("lottery")["invocation_id"]
    lab.scene(failed)
    done = lab.run("scene", failed, "--to-test", str(tmp_path / "test_it.py"), check=False)
    assert done.returncode != 0
    assert "--code" in done.stderr


@pytest.mark.parametrize("function", ["forgets", "loses"])
def test_what_failed_beside_a_handler_that_returned_fails_the_test(
    lab: Relive, application: Path, function: str
) -> None:
    # Given an invocation that succeeded, with a thread or a task that failed unseen
    invocation = lab.invoke(function)["invocation_id"]
    lab.scene(invocation)

    # When it is written as a test, I expect it to fail, until the code is mended
    test = write_test(lab, invocation, application)
    done = run_pytest(test)
    assert done.returncode == 1
    assert "KeyError: 'card'" in done.stdout
    (application / "shop.py").write_text(SOURCE.replace('event["card"]', 'event.get("card")'))
    done = run_pytest(test)
    assert done.returncode == 0, done.stdout


def test_a_result_that_is_too_large_fails_the_test(lab: Relive, application: Path) -> None:
    failed = lab.invoke("large", {"size": 20_000})["invocation_id"]
    lab.scene(failed)
    done = run_pytest(write_test(lab, failed, application))
    assert done.returncode == 1
    assert "over the limit of 10,000" in done.stdout


def test_a_folder_that_is_not_there_is_made(lab: Relive, application: Path) -> None:
    failed = lab.invoke("lottery")["invocation_id"]
    lab.scene(failed)
    code = ("--code", str(application))

    (row,) = lab.json("scene", failed, "--to-test", f"{application}/new/tests/", *code)
    assert Path(row["path"]).parent == application / "new" / "tests"

    (row,) = lab.json("scene", failed, "--to-test", str(application / "bare"), *code)
    assert Path(row["path"]).parent == application / "bare"

    done = lab.run("scene", failed, "--to-test", str(application / "checks.txt"), *code, check=False)
    assert done.returncode == 2
    assert "is not a Python file" in done.stderr


def test_code_that_takes_no_notice_of_its_time_limit_does_not_hold_up_the_test(
    lab: Relive, application: Path
) -> None:
    failed = lab.invoke("stubborn")["invocation_id"]
    lab.scene(failed)
    done = run_pytest(write_test(lab, failed, application))
    assert done.returncode == 1
    assert "still running after" in done.stdout
