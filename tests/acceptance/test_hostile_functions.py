"""Functions that run wild are stopped as a group at their limit, with a scene; the platform goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_cli import Relive, laboratory, toml

SOURCE = r"""
import logging, os, signal, subprocess, sys, time
from opentelemetry import trace

tracer = trace.get_tracer("lab")

def forks(event, context):
    for _ in range(event["children"]):
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            while True:
                time.sleep(1)
        os.write(2, b"child %d\n" % pid)
    time.sleep(60)

def escapes(event, context):
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    os.write(2, b"child %d\n" % child.pid)
    time.sleep(60)

def leaks(event, context):
    held = []
    while True:
        held.append(open("/dev/null"))

def bomb(event, context):
    blob = bytearray(64 << 30)
    return len(blob)

def burns(event, context):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    return sum(range(10 ** 12))

def deaf(event, context):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

def floods(event, context):
    line = "x" * 99
    for number in range(event["lines"]):
        print(number, line)
    for number in range(1000):
        logging.getLogger("flood").warning("%d %s", number, line)
    os.write(1, b"y" * 100 + b"\n")
    return "ok"

def spans(event, context):
    for _ in range(event["spans"]):
        with tracer.start_as_current_span("one of many"):
            pass

def colours(event, context):
    evil = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\x08"
    print(evil)
    logging.getLogger("lab").error(evil)
    os.write(2, evil.encode() + b"\n")
    with tracer.start_as_current_span(evil, attributes={evil: evil}):
        pass
    raise ValueError(evil)

def leaves(event, context):
    child = subprocess.Popen(
        "sleep 300 & exec sleep 300", shell=True, start_new_session=True, stdin=subprocess.DEVNULL
    )
    os.write(2, b"child %d\n" % child.pid)
    time.sleep(0.2)
    os.write(2, b"worker %d\n" % os.getpid())
    if event["how"] == "exit":
        os._exit(0)

def fine(event, context):
    return "fine"
"""

NAMES = ("forks", "escapes", "leaks", "bomb", "burns", "deaf", "floods", "spans", "colours", "leaves", "fine")
TIMEOUTS_S = {"forks": 4.0, "escapes": 4.0, "burns": 1.0, "deaf": 1.0}
FILES = {
    "app.py": SOURCE,
    "relive.toml": toml(
        {
            name: f'handler = "app:{name}"\nmemory_mb = {1024 if name == "forks" else 128}\n'
            f"timeout_s = {TIMEOUTS_S.get(name, 60.0)}"
            for name in NAMES
        }
    ),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with laboratory(FILES) as server:
        yield server


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children(lab: Relive, invocation_id: str) -> list[int]:
    lines = lab.json("logs", "--invocation", invocation_id, "--limit", "1000")
    return [int(line["body"].split()[1]) for line in lines if line["body"].startswith("child ")]


@pytest.mark.parametrize(
    ("function", "event", "count"), [("forks", {"children": 100}, 100), ("escapes", {}, 1)]
)
def test_processes_that_a_function_starts_end_with_it(
    lab: Relive, function: str, event: dict[str, int], count: int
) -> None:
    # When a function starts processes that ignore every signal, or leave its group, and never ends
    row = lab.invoke(function, event)

    # I expect a timeout with a scene
    assert row["status"] == "timeout"
    assert lab.scene(row["invocation_id"])["manifest"]["kind"] == "timeout"

    # ... and each of its processes gone, as many as it could start in its time
    pids = children(lab, row["invocation_id"])
    assert 1 <= len(pids) <= count
    try:
        lab.eventually(lambda: not [pid for pid in pids if alive(pid)])
    finally:
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, 9)

    # ... and the platform as it was
    assert lab.invoke("fine")["result"] == "fine"


def test_what_a_worker_started_in_another_session_does_not_outlive_it(lab: Relive) -> None:
    # When a function starts processes in a session of their own and ends its own process at once
    row = lab.invoke("leaves", {"how": "exit"})
    assert row["status"] == "crash"

    # I expect them to end with it, the one that was put into the background too
    (pid,) = children(lab, row["invocation_id"])
    try:
        lab.eventually(lambda: not in_session(pid))
    finally:
        for left in in_session(pid):
            os.kill(left, 9)


def in_session(session: int) -> list[int]:
    """The running processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.parent.name))
    return found


@pytest.mark.parametrize(
    ("function", "status", "kind", "error"),
    [
        ("leaks", "error", "exception", "OSError"),
        ("bomb", "error", "memory", "MemoryError"),
        ("burns", "timeout", "timeout", "Timeout"),
        ("deaf", "timeout", "timeout", "Timeout"),
    ],
)
def test_a_function_that_takes_too_much_is_stopped_with_its_scene(
    lab: Relive, function: str, status: str, kind: str, error: str
) -> None:
    # When a function leaks descriptors, allocates, burns the processor, or ignores its end
    row = lab.invoke(function, {"why": "test"})

    # I expect its caller to be told
    assert row["error"]["type"] == error, row
    assert row["status"] in (status, "memory"), row

    # ... a scene that has the event and the line
    scene = lab.scene(row["invocation_id"])
    assert scene["manifest"]["kind"] == kind
    assert scene["event"] == {"why": "test"}
    frames = [frame for view in scene["exception"] for frame in view["frames"]]
    assert function in [frame["function"] for frame in frames], scene["parts"]["exception"]

    # ... no process left that runs it, and the others served
    record = lab.json("invocations", function)[0]
    if status == "timeout":
        lab.eventually(lambda: not running(record["worker_pid"]))
    assert lab.invoke("fine")["result"] == "fine"


def running(pid: int) -> bool:
    """Whether it runs; one that is kept frozen as a live scene is stopped ("T")."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZTt"
    return False


def test_a_flood_of_output_is_bounded_and_says_what_was_dropped(lab: Relive) -> None:
    # When a function prints 20 MB
    row = lab.invoke("floods", {"lines": 200_000})

    # I expect its answer untouched, its first lines kept and a line that counts the others
    assert row["result"] == "ok"
    lines = lab.json("logs", "--invocation", row["invocation_id"], "--limit", "1000000")
    assert 0 < sum(len(line["body"]) for line in lines) < 2_000_000
    (told,) = [line["body"] for line in lines if "dropped" in line["body"]]
    dropped = int("".join(char for char in told.split("lines")[0] if char.isdigit()))
    assert dropped > 150_000
    assert "0 " + "x" * 99 in [line["body"] for line in lines]


def test_spans_over_the_limit_are_counted_where_their_trace_is_shown(lab: Relive) -> None:
    # When a function makes more spans than are kept
    trace_id = lab.invoke("spans", {"spans": 1_500})["trace_id"]

    # I expect its trace to say how many are not there, to people and to programs
    told = lab.run("trace", trace_id).stdout
    assert (
        "500 more of its spans, lines, values or samples not kept: over limits (1,000 spans of an invocation)"
        in told
    )
    rows = lab.json("trace", trace_id)
    assert [row["dropped"] for row in rows if row["dropped"]] == [500]


def test_terminal_escapes_are_shown_never_obeyed(lab: Relive) -> None:
    # When a function logs, names and raises what would take over a terminal
    row = lab.invoke("colours", {"\x1b[2Jkey": "\x1b[31mvalue"})
    lab.scene(row["invocation_id"])

    # I expect every view to show it escaped
    for command in (
        ("logs", "--invocation", row["invocation_id"]),
        ("failure", row["invocation_id"]),
        ("failures",),
        ("failures", "--group"),
        ("invocations",),
        ("trace", row["trace_id"]),
        ("flame", row["invocation_id"]),
        ("sql", "SELECT Body FROM otel_logs"),
        ("invoke", "colours"),
        ("invoke", "\x1b[31mfine"),
        ("logs", "\x1b[31mfine"),
        ("invocations", "--status", "\x1b[31m"),
    ):
        done = lab.run(*command, check=False)
        shown = done.stdout + done.stderr
        assert shown, command
        for char in "\x1b\x07\x9b\x08\r":
            assert char not in shown, (command, shown)
    assert "red" in lab.run("logs", "--invocation", row["invocation_id"]).stdout
    assert "red" in lab.run("failure", row["invocation_id"]).stdout
