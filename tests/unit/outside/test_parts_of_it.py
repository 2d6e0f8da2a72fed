"""Settings, notes of what runs, the watchdog, sources: each by itself."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from relive_base.distributions import installed
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_outside.helper.packing import Packed
from relive_outside.helper.places import Undelivered, deliver
from relive_outside.helper.sources import read_sources
from relive_outside.hosts.requests import request_of_environ, request_of_scope
from relive_outside.hosts.script import _without_secrets
from relive_outside.record.attempts import Attempt
from relive_outside.record.handed import Handed
from relive_outside.record.limiting import Rate
from relive_outside.record.marks import Left, Marks
from relive_outside.record.recipes import Recipe
from relive_outside.record.settings import DOCS, OutsideSettings, read_settings
from relive_outside.record.spans import SpanBatch
from relive_outside.record.watchdog import Watchdog

RECIPE = Recipe("shop", "shop:handler", "call", "/srv", "celery")


def test_every_setting_is_documented_and_none_is_without_a_name() -> None:
    assert set(DOCS) == {field.name for field in msgspec.structs.fields(OutsideSettings)}


def test_settings_that_cannot_be_are_left_at_their_defaults_and_named() -> None:
    found, problems = read_settings(
        {
            "RELIVE_RECORD_TO": "/srv/scenes",
            "RELIVE_RECORD_PER_MINUTE": "many",
            "RELIVE_RECORD_SEND_S": "-1",
            "RELIVE_RECORD_REDACT": "iban, pin",
            "RELIVE_TOKEN": "t" * 20,
        }
    )
    assert (found.to, found.per_minute, found.send_s, found.redact) == (
        "/srv/scenes",
        20,
        10.0,
        ("iban", "pin"),
    )
    assert found.token == "t" * 20
    assert [problem.split("=")[0] for problem in problems] == [
        "RELIVE_RECORD_SEND_S",
        "RELIVE_RECORD_PER_MINUTE",
    ]
    assert not read_settings({"RELIVE_RECORD": "off"})[0].enabled


@pytest.mark.parametrize(
    ("variable", "wrong", "right"),
    [
        ("RELIVE_RECORD", ["maybe", "2"], ["on", "OFF", "", " 1 "]),
        ("RELIVE_RECORD_OTLP", ["foo", "http://", "127.0.0.1:4318", "grpc://a"], ["http://[::1]:4318", ""]),
        ("RELIVE_RECORD_SOURCE", ["/nope", "/etc/passwd"], ["/usr", "."]),
        ("RELIVE_RECORD_CAPTURE", ["none"], ["off"]),
        (
            "RELIVE_RECORD_TO",
            ["ftp://x/scenes", "s3://", "https:///x"],
            ["scenes", "s3://a", "https://a:1/b"],
        ),
        ("RELIVE_RECORD_WAITING_SCENES", ["-1", "1.5"], ["0"]),
    ],
)
def test_what_a_setting_cannot_be_is_said(variable: str, wrong: list[str], right: list[str]) -> None:
    for text in wrong:
        settings, (problem,) = read_settings({variable: text})
        assert problem.startswith(f"{variable}={text!r} is not what it can be")
        assert settings == OutsideSettings()
    for text in right:
        assert read_settings({variable: text})[1] == []


def left_in(folder: str) -> list[Left]:
    """What a process finds that takes all of it."""
    found: list[Left] = []
    assert Marks(folder).tell_left(lambda left: found.append(left) is None)
    return found


def test_the_next_process_tells_of_one_that_was_killed(tmp_path: Path) -> None:
    # Given a child that is killed in the middle of something
    folder = str(tmp_path / "state")
    ready, go = os.pipe()
    child = os.fork()
    if not child:
        marks = Marks(folder)
        done = Attempt(RECIPE, b"", None)
        marks.begin(done)
        marks.end(done)
        marks.begin(Attempt(RECIPE, b"", None))
        os.write(go, b"1")
        os.kill(os.getpid(), 9)
    os.read(ready, 1)
    os.waitpid(child, 0)
    # When another one looks, I expect it told once, and what had ended not at all
    found = left_in(folder)
    assert [(one.name, one.host, one.pid) for one in found] == [("shop", "celery", child)]
    assert left_in(folder) == []


def test_what_cannot_be_told_at_once_is_left_for_later(tmp_path: Path) -> None:
    # Given a process that was killed in the middle of five things
    folder = str(tmp_path / "state")
    child = os.fork()
    if not child:
        marks = Marks(folder)
        for _ in range(5):
            marks.begin(Attempt(RECIPE, b"", None))
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    # When one that looks can tell of two, and the next one is killed before it tells of any
    told: list[Left] = []

    def tell(left: Left) -> bool:
        if len(told) == 2:
            return False
        told.append(left)
        return True

    assert not Marks(folder).tell_left(tell)
    child = os.fork()
    if not child:
        Marks(folder).tell_left(lambda _: os.kill(os.getpid(), 9) is None)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
    # I expect the other three told by the third, each once
    rest = left_in(folder)
    assert (len(rest), len({one.invocation_id for one in (*told, *rest)})) == (3, 5)
    assert list(Path(folder).iterdir()) == []


def test_who_looks_does_not_keep_another_from_its_notes(tmp_path: Path) -> None:
    # Given a process that looks into the folder all the time
    folder = str(tmp_path / "state")
    looks = os.fork()
    if not looks:
        while os.getppid() != 1:
            left_in(folder)
    try:
        # When others begin to make notes, I expect each of them to have its own
        made = [Marks(folder) for _ in range(1_000)]
        attempts = [Attempt(RECIPE, b"", None) for _ in made]
        for marks, attempt in zip(made, attempts, strict=True):
            marks.begin(attempt)
            marks.close()
        assert [attempt.slot for attempt in attempts if attempt.slot < 0] == []
    finally:
        os.kill(looks, 9)
        os.waitpid(looks, 0)


def test_files_of_processes_that_were_killed_as_they_made_them_go(tmp_path: Path) -> None:
    # Given files without room for notes: one that is being made, and ones whose process was killed long ago
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    for name in ("1-new.running.making", "1-old.running.making", "1-short.running"):
        (folder / name).touch(0o600)
    os.utime(folder / "1-old.running.making", (1_000_000_000, 1_000_000_000))
    # When a process looks, I expect the old ones gone: of many, it would not look any further
    assert left_in(str(folder)) == []
    assert [path.name for path in folder.iterdir()] == ["1-new.running.making"]


def test_a_process_that_lives_is_not_told_of(tmp_path: Path) -> None:
    marks = Marks(str(tmp_path / "state"))
    attempt = Attempt(RECIPE, b"", None)
    assert marks.begin(attempt)
    assert not marks.begin(Attempt(RECIPE, b"", None))
    assert left_in(str(tmp_path / "state")) == []
    marks.close()


def test_where_there_is_no_room_nothing_is_noted_and_no_file_stays(tmp_path: Path) -> None:
    # Given a process that can write no file
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        attempt = Attempt(RECIPE, b"", None)
        Marks(str(folder)).begin(attempt)
        os._exit(0 if attempt.slot < 0 else 1)

    # I expect it to go on, without a note
    assert os.waitpid(child, 0)[1] == 0
    assert list(folder.iterdir()) == []


def test_a_note_finds_room_on_a_disk_that_fills_up_later(tmp_path: Path) -> None:
    # When a process takes notes
    folder = tmp_path / "state"
    marks = Marks(str(folder))
    marks.begin(Attempt(RECIPE, b"", None))

    # I expect the room for all of them to be theirs: a page without room would kill the process
    (file,) = folder.iterdir()
    info = file.stat()
    assert info.st_blocks * 512 >= info.st_size > 0
    marks.close()


def test_a_folder_of_others_has_no_notes(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    marks = Marks(str(folder))
    marks.begin(Attempt(RECIPE, b"", None))
    assert list(folder.iterdir()) == []


def test_what_runs_too_long_is_told_once_by_a_thread_that_threading_does_not_know() -> None:
    # Given a watchdog, and two attempts of which one ends
    told: list[Any] = []
    rang = threading.Event()

    def late(attempt: Attempt, limit_s: float) -> None:
        told.append((attempt, limit_s))
        rang.set()

    watchdog = Watchdog(late)
    slow, quick = Attempt(RECIPE, b"", None), Attempt(RECIPE, b"", None)
    watchdog.watch(slow, 3_600.0)
    watchdog.watch(quick, 3_600.0)
    watchdog.forget(quick)
    before = set(threading.enumerate())
    # When the limit of the other one is over, I expect it told
    watchdog.watch(slow, 0.01)
    assert rang.wait(60)
    assert told == [(slow, 0.01)]
    assert set(threading.enumerate()) <= before  # those of other tests may end meanwhile


def test_the_rate_is_of_a_minute() -> None:
    now = [0]
    rate = Rate(2, lambda: now[0])
    assert [rate.take(), rate.take(), rate.take()] == [True, True, False]
    now[0] = 60_000_000_000
    assert rate.take()
    assert rate.refused == 1


def test_spans_leave_when_they_are_many_old_or_the_process_ends() -> None:
    sent: list[int] = []
    now = [0]
    batch = SpanBatch(lambda spans: sent.append(len(spans)), lambda: now[0])
    span: Any = object()
    for _ in range(512):
        batch.add(span)
    assert sent == [512]
    batch.add(span)
    now[0] = 6_000_000_000
    batch.add(span)
    assert sent == [512, 2]
    batch.add(span)
    batch.flush()
    batch.flush()
    assert sent == [512, 2, 1]


def test_sources_are_the_applications_own(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("a = 1\n")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "deep.py").write_text("b = 2\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (tmp_path / "env" / "theirs.py").write_text("c = 3\n")
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.py")  # nobody ever writes to it
    found = read_sources(str(tmp_path), 1_000)
    assert set(found.files) == {"app.py", "pkg/deep.py"}
    small = read_sources(str(tmp_path), 7)
    assert (set(small.files), small.left_out, small.code_hash) == ({"app.py"}, 1, found.code_hash)
    assert read_sources("/", 1_000).files == {}
    assert read_sources(os.path.dirname(os.__file__), 1_000).files == {}


def test_installed_names_are_those_of_folders(tmp_path: Path) -> None:
    for name in ("Flask-3.1.3.dist-info", "ruamel.yaml-0.18.dist-info", "flask", "bad.dist-info"):
        (tmp_path / name).mkdir()
    assert installed([str(tmp_path), str(tmp_path / "gone")]) == [("flask", "3.1.3"), ("ruamel-yaml", "0.18")]


def test_a_request_is_the_same_from_both_interfaces() -> None:
    scope = {
        "type": "http", "method": "POST", "path": "/shop/caf\u00e9", "root_path": "/shop", "query_string":
        b"a=1", "headers": [(b"Host", b"example.org"), (b"X-One", b"1")], "scheme": "https", "client":
        ("10.0.0.1", 99), "http_version": "1.1", "raw_path": b"/shop/caf%C3%A9",
    }  # fmt: skip
    environ = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/shop", "PATH_INFO": "/caf\u00c3\u00a9", "QUERY_STRING":
        "a=1", "HTTP_HOST": "example.org", "HTTP_X_ONE": "1", "wsgi.url_scheme": "https", "REMOTE_ADDR":
        "10.0.0.1", "REMOTE_PORT": "99", "SERVER_PROTOCOL": "HTTP/1.1", "RAW_URI": "/shop/caf%C3%A9?a=1",
    }  # fmt: skip
    assert request_of_scope(scope) == request_of_environ(environ)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--password", "hunter2", "mon"], ["--password", PLACEHOLDER, "mon"]),
        (["--day", "mon"], ["--day", "mon"]),
        (["--token", "--day"], ["--token", "--day"]),
    ],
)
def test_secrets_among_arguments_are_hidden(arguments: list[str], shown: list[str]) -> None:
    assert _without_secrets(arguments, Redactor()) == shown


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("ftp://x/scenes", "is no place for scenes"),
        ("s3://", "names no bucket"),
        ("http://me:hunter2@x", "no password stands in an address"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1: ConnectionRefusedError"),
    ],
)
def test_a_place_that_scenes_cannot_go_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Undelivered, match=says):
        deliver(Packed("a-1.scene", b"PK"), Handed(to=to))
    assert list(tmp_path.iterdir()) == []
