"""The archive: what goes in comes out, in the same bytes every time; hostile files are refused."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relive_base.parts import PartState, ok
from relive_base.records import InvocationRecord
from relive_base.wire.messages import (
    ErrorInfo,
    FunctionSpec,
    HttpRequest,
    LogLine,
    Profile,
    Scene,
    SpanData,
    StackFrames,
)
from relive_capture.explore import Limits, SceneError, read_scene
from relive_capture.explore.failures import blob_columns, scene_columns
from relive_capture.explore.parts import SceneInput, failure_lines, render_text, to_json, write_scene
from relive_capture.explore.scene import kept_part
from relive_capture.record import capture_exception

INVOCATION = "01932c5e-7b1a-7c3d-8e4f-0123456789ab"
CART = """def price(item):
    return item['sku']

def handler(event):
    return [price(item) for item in event]
"""


def record(**fields: Any) -> InvocationRecord:
    given = {
        "invocation_id": INVOCATION,
        "function": "checkout",
        "version": 3,
        "trace_id": "4b" * 16,
        "span_id": "ab" * 8,
        "trigger_span_id": "cd" * 8,
        "status": "error",
    }
    return InvocationRecord(**{**given, **fields})


@pytest.fixture
def scene(spec: FunctionSpec, load: Callable[..., ModuleType]) -> Scene:
    app = load(CART)
    try:
        app.handler([{"id": 7}])
    except KeyError as error:
        return capture_exception(error, kind="exception", spec=spec, invocation_id=INVOCATION)
    raise AssertionError


def full_input(scene: Scene) -> SceneInput:
    stack = StackFrames(1, ["handler", "price"], ["app.py", "app.py"], [5, 2])
    return SceneInput(
        record=record(),
        scene=scene,
        event=b'{"items": [{"id": 7}], "password": "hunter2"}',
        logs=[LogLine(1, "INFO", "user logged in with token=abc123"), LogLine(2, "ERROR", "\x1b[2Jbad")],
        spans=[
            SpanData(
                "4b" * 16, "ef" * 8, "ab" * 8, "load", "Internal", 1, 2, attributes={"db.password": "hunter2"}
            )
        ],
        profiles=[Profile(invocation_id=INVOCATION, stack_hashes=[1], counts=[2], wall_ns=[3], cpu_ns=[4])],
        stacks={1: stack},
        parts={"live": ok()},
    )


def test_what_was_written_is_read(tmp_path: Path, scene: Scene) -> None:
    info = write_scene(tmp_path / "a.scene", full_input(scene))

    found = read_scene(tmp_path / "a.scene")

    assert (found.hash, found.size) == (info.hash, info.size)
    assert found.manifest["fingerprint"] == scene.error.fingerprint
    assert found.exceptions[0].frames[-1].function == "price"
    assert json.loads(found.event)["items"] == [{"id": 7}]
    assert [line.severity for line in found.logs] == ["INFO", "ERROR"]
    assert found.spans[0].name == "load"
    assert found.profile[0]["stacks"][0]["functions"] == ["handler", "price"]
    assert found.source("app.py") == CART
    assert found.parts["heap"].state == "missing"
    assert found.environment["python"]


def test_a_process_that_is_kept_for_a_time_is_not_there_after_it(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a scene whose process was kept for 5 minutes at most
    kept = kept_part(300)
    write_scene(tmp_path / "a.scene", replace(full_input(scene), parts={"live": kept}))
    captured_ns = read_scene(tmp_path / "a.scene").manifest["captured_ns"]

    def live_after(seconds: int) -> PartState:
        monkeypatch.setattr(time, "time_ns", lambda: captured_ns + seconds * 10**9)
        return read_scene(tmp_path / "a.scene").parts["live"]

    # I expect it to be there until then, and no longer
    assert live_after(299) == kept
    over = live_after(301)
    assert (over.state, over.reason) == (
        "missing",
        "its process was kept, stopped, for 300 s at most; that is over",
    )


def test_a_local_that_was_stored_once_is_read_in_every_frame(
    tmp_path: Path, spec: FunctionSpec, load: Any
) -> None:
    app = load("def inner(order):\n    raise ValueError\n\ndef handler(order):\n    inner(order)\n")
    try:
        app.handler({"lines": [{"sku": 7}]})
    except ValueError as error:
        frames = capture_exception(error, kind="exception", spec=spec, invocation_id=INVOCATION)

    write_scene(tmp_path / "a.scene", SceneInput(record=record(), scene=frames))
    outer, inner = read_scene(tmp_path / "a.scene").exceptions[0].frames[-2:]

    assert frames.members["exception.json"].count(b'"sku"') == 1
    assert outer.locals[0][1].children
    assert outer.locals[0][1] == inner.locals[0][1]


def test_no_secret_reaches_the_file_and_every_place_is_listed(tmp_path: Path, scene: Scene) -> None:
    write_scene(tmp_path / "a.scene", full_input(scene))

    found = read_scene(tmp_path / "a.scene")

    members = b"".join(found.member(name) for name in found.names)
    assert b"hunter2" not in members
    assert b"abc123" not in members
    assert {"event.password", "logs[0]", "spans[0].attributes.db.password"} <= set(found.redactions)
    assert found.parts["event"].state == "partial"


def test_the_same_scene_gives_the_same_bytes_and_a_private_file(tmp_path: Path, scene: Scene) -> None:
    first = write_scene(tmp_path / "a.scene", full_input(scene))
    second = write_scene(tmp_path / "b.scene", full_input(scene))

    assert first.hash == second.hash
    assert stat.S_IMODE((tmp_path / "a.scene").stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["a.scene", "b.scene", "code"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, scene: Scene) -> None:
    (tmp_path / "a.scene").mkdir()

    with pytest.raises(OSError):
        write_scene(tmp_path / "a.scene", full_input(scene))

    assert sorted(os.listdir(tmp_path)) == ["a.scene", "code"]


def test_a_process_that_could_save_nothing_still_has_a_scene(tmp_path: Path) -> None:
    error = ErrorInfo(type="Killed", message="signal 11 (SIGSEGV)", kind="signal")
    source = SceneInput(record=record(status="crash", error=error), event=b"[1]", captured_ns=5)

    write_scene(tmp_path / "a.scene", source)
    found = read_scene(tmp_path / "a.scene")

    assert found.exceptions[0].type == "Killed"
    assert found.manifest["fingerprint"]
    assert found.parts["exception"].state == "missing"
    assert "before it could" in found.parts["exception"].reason
    assert "signal 11" in render_text(found)


def test_an_http_request_is_kept_without_its_secrets(tmp_path: Path) -> None:
    request = HttpRequest(
        "POST", "/cart", "api_key=abc&page=1", [("authorization", "Bearer abcdefgh1")], b"\xff\x00"
    )
    write_scene(tmp_path / "a.scene", SceneInput(record=record(), http=request, captured_ns=5))

    found = read_scene(tmp_path / "a.scene")

    assert found.context["http"]["query"] == "api_key=[redacted]&page=1"
    assert found.context["http"]["headers"] == [["authorization", "[redacted]"]]
    assert found.event == b"\xff\x00"


def test_a_giant_member_is_left_out_and_said(tmp_path: Path) -> None:
    source = SceneInput(record=record(), captured_ns=5, members={"heap/columns.bin": b"x" * (17 << 20)})

    write_scene(tmp_path / "a.scene", source)

    assert "over the limit" in read_scene(tmp_path / "a.scene").parts["heap"].reason


def test_what_comes_later_has_room(tmp_path: Path) -> None:
    members = {"heap/roots.json": b"[]", "replay.json": b"{}", "native/core.txt": b"stack"}
    source = SceneInput(record=record(), captured_ns=5, members=members, parts={"heap": ok()})

    write_scene(tmp_path / "a.scene", source)
    found = read_scene(tmp_path / "a.scene")

    assert found.member("native/core.txt") == b"stack"
    assert found.parts["heap"].state == found.parts["native"].state == "ok"


def archive(members: dict[str, bytes], **manifest: Any) -> bytes:
    given = {"schema": 1, "invocation_id": "i", "attempt": 1, "function": "f", "error": {"type": "E"}}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", json.dumps({**given, **manifest}))
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: b"", "not a scene archive"),
        (lambda: b"PK\x03\x04" + b"\x00" * 100, "not a scene archive"),
        (lambda: archive({"../evil": b"x"}), "leads out"),
        (lambda: archive({"/etc/passwd": b"x"}), "leads out"),
        (lambda: archive({"a\\..\\b": b"x"}), "leads out"),
        (lambda: archive({"C:/x": b"x"}), "leads out"),
        (lambda: archive({"a\x1b[2J": b"x"}), "not printable"),
        (lambda: archive({"n" * 500: b"x"}), "too long"),
        (lambda: archive({f"m{i}": b"" for i in range(1001)}), "over the limit of 1000"),
        (lambda: archive({"bomb": b"\0" * (60 << 20)}), "expands more than"),
        (lambda: archive({"big": b"\0" * (65 << 20)}), "over the limit"),
        (lambda: archive({}, schema=99), "newer Relive"),
        (lambda: archive({}, schema="1"), "schema"),
        (lambda: archive({}, attempt="x"), "attempt is not of type int"),
        (lambda: archive({}, error=[]), "error is not of type dict"),
    ],
    ids=range(15),
)
def test_a_hostile_archive_is_refused_in_clear_words(made: Callable[[], bytes], words: str) -> None:
    data = made()

    with pytest.raises(SceneError) as raised:
        read_scene(data)

    assert words in str(raised.value)


NESTED = b'{"type":"t","children":[["a",' * 40 + b'{"type":"t"}' + b"]]}" * 40


@pytest.mark.parametrize(
    "exception",
    [
        b"{}",
        b"[1]",
        b'[{"type":1}]',
        b"[" * 100_000,
        b'[{"type":"E","frames":[{"file":"f","line":1,"function":"g","locals":[["x",' + NESTED + b"]]}]}]",
    ],
)
def test_a_member_of_wrong_shape_is_refused_when_it_is_asked_for(exception: bytes) -> None:
    found = read_scene(archive({"exception.json": exception}))

    with pytest.raises(SceneError, match=r"exception\.json"):
        _ = found.exceptions


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="cannot be opened"):
        read_scene(tmp_path / "none.scene")


def test_limits_are_settings(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="limit of 10"):
        read_scene(archive({}), Limits(archive_bytes=10))


def everything(data: bytes) -> None:
    """All that a view asks of a scene."""
    found = read_scene(data)
    for name in found.names:
        found.member(name)
    render_text(found)
    to_json(found)
    _ = found.threads, found.spans, found.profile, found.environment


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), max_size=6))
def test_a_damaged_archive_gives_scene_errors_and_nothing_else(
    tmp_path: Path, cut: float, flips: list[tuple[float, int]]
) -> None:
    path = tmp_path / "whole.scene"
    if not path.exists():
        write_scene(
            path, SceneInput(record=record(), event=b"[1]", captured_ns=5, logs=[LogLine(1, "INFO", "x")])
        )
    data = bytearray(path.read_bytes())
    for place, value in flips:
        data[int(place * len(data))] = value
    if not flips:
        del data[int(cut * len(data)) :]

    with contextlib.suppress(SceneError):
        everything(bytes(data))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
MEMBERS = [
    "exception.json",
    "context.json",
    "logs.jsonl",
    "spans.json",
    "result.json",
    "event.bin",
    "redactions.json",
]


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(MEMBERS), json_values),
    st.dictionaries(st.sampled_from(["parts", "captured_ns", "kind"]), json_values),
)
def test_well_formed_nonsense_gives_scene_errors_and_nothing_else(
    members: dict[str, Any], manifest: dict[str, Any]
) -> None:
    data = archive({name: json.dumps(value).encode() for name, value in members.items()}, **manifest)

    with contextlib.suppress(SceneError):
        everything(data)


def test_the_text_of_a_failure_says_why_and_is_safe(tmp_path: Path, scene: Scene) -> None:
    write_scene(tmp_path / "a.scene", full_input(scene))
    found = read_scene(tmp_path / "a.scene")

    text = render_text(found, width=100)
    lines = failure_lines(found, width=100)

    assert text.startswith("✖ KeyError: 'sku'")
    assert "app.py:2 in price" in text
    marked = [line.text for line in lines if line.style == "mark"]
    assert marked[0].startswith("> 2      return item['sku']")
    assert marked[1].strip() == "^" * len("item['sku']")
    assert "item = {'id': 7}" in text
    assert "missing: heap (the process ended before its heap could be walked)" in text
    assert "not for this failure: " in text
    assert "tasks" in text.split("not for this failure: ")[1].split("\n")[0]
    assert f"relive trace {INVOCATION}" in text
    assert "\x1b" not in text
    assert all(len(line.text) <= 100 for line in lines if line.style not in ("meta", "command"))


def test_rows_hold_the_head_and_the_whole_archive(tmp_path: Path, scene: Scene) -> None:
    info = write_scene(tmp_path / "a.scene", full_input(scene))

    head = scene_columns([info, info])
    blobs = blob_columns(info.hash, b"x" * (2 * 1024 * 1024 + 1), 7)

    assert head["ErrorType"] == ["KeyError", "KeyError"]
    # Python 3.12 and newer run a comprehension in its function's own frame.
    frames = [frame for frame in head["Frames"][0] if "<listcomp>" not in frame]
    assert frames[-2:] == ["app.py:5 handler", "app.py:2 price"]
    assert json.loads(str(head["Locals"][0])) == {"item": "{'id': 7}"}
    assert [len(chunk) for chunk in blobs["Data"]] == [1 << 20, 1 << 20, 1]  # type: ignore[arg-type]
    assert blobs["Chunks"] == [3, 3, 3]


SECRETIVE = """def connect(dsn, vault):
    password = "tr0ub4dor" + vault
    shown = [1, password]
    raise ValueError("cannot log in as ada with " + password)

def handler(event):
    return connect("db", "-x9")
"""


def test_what_is_secret_in_one_place_is_hidden_in_the_whole_scene(
    spec: FunctionSpec, load: Callable[..., ModuleType], tmp_path: Path
) -> None:
    # Given a secret local that is also in a list and in the message, and secrets of the event in logs and
    # spans
    try:
        load(SECRETIVE).handler({})
    except ValueError as error:
        scene = capture_exception(error, kind="exception", spec=spec, invocation_id=INVOCATION)
    line = LogLine(1, "INFO", "asked for tr0ub4dor-x9 and for s3cr3t-of-event, sid f00dfeed77; mode test")
    span = SpanData("4b" * 16, "ef" * 8, "ab" * 8, "get s3cr3t-of-event", "Internal", 1, 2, attributes={})
    head = HttpRequest(
        method="POST",
        path="/s3cr3t-of-event",
        query="",
        headers=[("cookie", "sid=f00dfeed77; lang=de")],
        body=b'{"api_key": "s3cr3t-of-event", "copy": "s3cr3t-of-event", "mode": "test"}',
    )

    source = SceneInput(record=record(), scene=scene, http=head, logs=[line], spans=[span])
    info = write_scene(tmp_path / "x.scene", source)

    # I expect none of them anywhere in the archive, and the rest as it was
    with zipfile.ZipFile(info.path) as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    for name, text in members.items():
        for secret in ("tr0ub4dor-x9", "s3cr3t-of-event", "f00dfeed77"):
            assert secret not in text, name
    assert '"mode": "test"' in members["event.bin"]
    assert "lang=de" in members["context.json"]
    assert "mode test" in members["logs.jsonl"]
    assert info.manifest["error"]["message"] == "cannot log in as ada with [redacted]"


def test_what_stands_beside_a_secret_is_none(
    spec: FunctionSpec, load: Callable[..., ModuleType], tmp_path: Path
) -> None:
    # Given a cookie jar, whose cookies lie under their domains, and credentials with a host
    code = """
def handler(event):
    jar = {"_cookies": {"shop.example.org": {"/basket": {"sid": "f00dfeed77"}}}}
    credentials = {"host": "db.example.org", "password": "tr0ub4dor-x9"}
    auth = ("administrator", "s3cr3t-of-auth")
    raise ValueError("GET shop.example.org/basket by administrator of db.example.org with tr0ub4dor-x9")
"""
    try:
        load(code).handler({})
    except ValueError as error:
        scene = capture_exception(error, kind="exception", spec=spec, invocation_id=INVOCATION)

    info = write_scene(tmp_path / "x.scene", SceneInput(record=record(), scene=scene))

    # I expect domains, hosts and users to stay
    wanted = "GET shop.example.org/basket by administrator of db.example.org with [redacted]"
    assert info.manifest["error"]["message"] == wanted


def test_lines_that_a_scene_has_not_are_said_where_the_logs_are(tmp_path: Path) -> None:
    # Given more lines than a scene keeps, and others that were left out before
    path = tmp_path / "long.scene"
    lines = [LogLine(number, "INFO", f"line {number}") for number in range(6_000)]

    # When it is written and shown
    write_scene(path, SceneInput(record=record(), captured_ns=5, logs=lines, logs_left_out=70))
    text = render_text(read_scene(path))

    # I expect the last ones, and the number of those before
    assert "Logs, the last 10 of 5000 (1070 earlier lines left out)" in text
    assert "line 5999" in text
