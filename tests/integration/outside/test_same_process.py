"""An application that is recorded has the children, the descriptors and the end that it has without: what is
run here says of itself what it sees."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S
from recorded_hosts import run, scenes_in

WORK = """
import os, sys, signal, threading, relive
@relive.record
def work(what):
    raise KeyError(what)
def fails(what):
    try:
        work(what)
    except KeyError:
        pass
"""
WAITS = """
known = set()
told = []
signal.signal(signal.SIGCHLD, lambda *_: told.append(1))
fails("a")
thread = threading.Thread(target=fails, args=("b",))
thread.start()
thread.join()
print("told of", len(told), "children")
pid = os.fork()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
print("told of", len(told), "children")
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
ready, go = os.pipe()
for status in (1, 2):
    pid = os.fork()
    if not pid:
        os.read(ready, 1)
        os._exit(status)
    known.add(pid)
fails("c")
os.write(go, b"12")
while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        break
    print(pid in known)
"""
CLOSES = """
fails("a")
os.closerange(3, 200)
own = [open("/etc/passwd") for _ in range(8)]
pid = os.fork()
if not pid:
    fails("b")
    print([os.readlink(f"/proc/self/fd/{one.fileno()}") for one in own], flush=True)
    os._exit(0)
print(os.waitpid(pid, 0)[1])
"""
LOGS = """
import http.client, pathlib, random, socket, subprocess, traceback, urllib.request
tries = [
    lambda: open("/nowhere"), lambda: pathlib.Path("/nowhere").read_text(), lambda: os.stat("/nowhere"),
    lambda: os.listdir("/nowhere"), lambda: os.rename("/nowhere", "/no"), lambda: os.open("/nowhere", 0),
    lambda: subprocess.run(["/nowhere"]), lambda: os.urandom("x"), lambda: random.seed([]),
    lambda: os.environ["NOWHERE"], lambda: socket.create_connection(("127.0.0.1", 1)),
    lambda: urllib.request.urlopen("http://127.0.0.1:1/"), lambda: os._exit("x"),
    lambda: http.client.HTTPConnection("127.0.0.1", 1).request("GET", "/"), lambda: work("a"),
]
def all_of(error):
    while error is not None:
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        yield [name for name in names if name != "send"]  # of http.client, which connects there
        error = error.__context__
for number, one in enumerate(tries):
    try:
        one()
    except Exception as error:
        print(number, type(error).__name__, *all_of(error))
"""
STDERR_IS_A_FILE = """
file = open(sys.argv[1], "w")
print(file.fileno())
for _ in range(8):
    fails("a")
"""
BURST = """
for number in range(int(sys.argv[1])):
    fails(number)
print(threading.active_count(), len(os.listdir("/proc/self/task")))
"""
EXITS = "import os; print('done', flush=True); os._exit(3)"
EXECS = (
    "import os, sys\nif len(sys.argv) < 2: os.execv(sys.executable, [sys.executable, 'job.py', 'again'])\n"
)


@pytest.mark.parametrize(
    ("text", "scenes"),
    [(WAITS, 3), (CLOSES, 2), (LOGS, 1)],
    ids=["waits for any child", "closes all descriptors", "logs tracebacks"],
)
def test_children_descriptors_and_tracebacks_are_the_applications_own(
    tmp_path: Path, text: str, scenes: int
) -> None:
    # Given a script that looks at its children, closes what it does not know, or logs what it catches
    (tmp_path / "job.py").write_text(WORK + text)
    plain = run(tmp_path, "env", "RELIVE_RECORD=off", sys.executable, "job.py")
    # When it is recorded, I expect that it sees the same
    ran = run(tmp_path, "relive-record", "job.py")
    assert (ran.returncode, ran.stdout, ran.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert len(scenes_in(tmp_path, scenes)) == scenes


def test_a_file_in_the_place_of_stderr_stays_as_it_is(tmp_path: Path) -> None:
    # Given a script that was started with stderr closed, so that a file of its own has that number
    (tmp_path / "job.py").write_text(WORK + STDERR_IS_A_FILE)
    script = f"exec {sys.executable} job.py kept.txt 2>&-"
    ran = run(tmp_path, "env", "RELIVE_RECORD_TO=http://127.0.0.1:1", "sh", "-c", script)
    # When the recorder has something to say, I expect nothing of it in the file
    assert ran.stdout == "2\n"
    assert (tmp_path / "kept.txt").read_text() == ""


@pytest.mark.parametrize(("text", "status"), [(EXITS, 3), (EXECS, 0)], ids=["os._exit", "os.execv"])
def test_who_ends_itself_was_not_killed(tmp_path: Path, text: str, status: int) -> None:
    (tmp_path / "job.py").write_text(text)
    assert run(tmp_path, "relive-record", "job.py").returncode == status
    # When the next one looks for what was killed, I expect nothing
    assert run(tmp_path, "relive-record", sys.executable, "-c", "pass").returncode == 0
    assert list(tmp_path.glob("scenes/*")) == []


def test_who_reads_stderr_to_its_end_does_not_wait_for_a_destination_that_hangs(tmp_path: Path) -> None:
    # Given a place for scenes that takes connections and never answers, and time enough to wait for it
    (tmp_path / "job.py").write_text("raise KeyError('a')\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        to = f"http://127.0.0.1:{server.getsockname()[1]}"
        limits = ("RELIVE_RECORD_WAIT_S=0.2", f"RELIVE_RECORD_SEND_S={PATIENCE_S * 4}")
        # When a script fails, I expect its stderr at its end: `run` itself gives up after its patience
        ran = run(tmp_path, "env", *limits, "relive-record", "--to", to, "job.py")
    assert ran.returncode == 1
    assert ran.stderr.endswith("relive: a scene was not delivered within 0.2 s; it may still be\n")


def test_failures_one_right_after_the_other_have_a_scene_each(tmp_path: Path) -> None:
    # Given a script that fails more often at once than there are processes that make scenes
    (tmp_path / "job.py").write_text(WORK + BURST)
    ran = run(tmp_path, sys.executable, "job.py", "9", RELIVE_RECORD_CLOSE_S=str(PATIENCE_S))
    # I expect a scene of each, with no thread more, and nothing to be said
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1 1\n", "")
    assert len(scenes_in(tmp_path, 9)) == 9


def test_of_scenes_that_wait_no_more_are_kept_than_the_limits_say(tmp_path: Path) -> None:
    # Given a place for scenes that never answers, and a script that fails time and again
    (tmp_path / "job.py").write_text(WORK + BURST)
    with socket.create_server(("127.0.0.1", 0)) as server:
        to = f"http://127.0.0.1:{server.getsockname()[1]}"
        limits = ("RELIVE_RECORD_AT_ONCE=1", "RELIVE_RECORD_WAITING_SCENES=2", "RELIVE_RECORD_CLOSE_S=0.2")
        given = ("RELIVE_RECORD_WAIT_S=0", f"RELIVE_RECORD_TO={to}", *limits)
        ran = run(tmp_path, "env", *given, sys.executable, "job.py", "4", RELIVE_RECORD_SEND_S="2")
    # I expect it to say what it left out, and to end although two still wait
    assert ran.stdout == "1 1\n"
    full, lost, *_ = ran.stderr.splitlines()
    assert full.startswith("relive: a scene is left out: 2 of ")
    assert full.endswith(" bytes wait already (RELIVE_RECORD_WAITING_SCENES, RELIVE_RECORD_WAITING_BYTES)")
    assert lost == (
        "relive: 1 scenes were left out, since too many waited;"
        " 2 scenes that waited are lost: 0.2 s (RELIVE_RECORD_CLOSE_S) were over"
    )
