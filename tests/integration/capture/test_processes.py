"""Real processes: what the record side imports, and frames read from outside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from relive_base.records import InvocationRecord
from relive_capture.explore import outside, read_scene
from relive_capture.explore.parts import SceneInput, write_scene
from relive_capture.model import ExceptionView

STUCK = """
def wait(password, order):
    tries = [1, 2, 3]
    print("ready", flush=True)
    import sys
    sys.stdin.read()

def handler(event):
    wait("hunter2", {"id": 7})

handler({})
"""
HYGIENE = """
import sys
before = set(sys.modules)
import relive_capture.record
relive_capture.record.preload()
print("\\n".join(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
FORBIDDEN = {
    "asyncio",
    "grpc",
    "chdb",
    "numpy",
    "pandas",
    "rich",
    "click",
    "textual",
    "requests",
    "relive_store",
    "traceback",
}


def test_the_record_side_imports_little() -> None:
    output = subprocess.run(
        [sys.executable, "-c", HYGIENE], capture_output=True, text=True, check=True
    ).stdout

    loaded = set(output.split())
    assert "relive_capture" in loaded
    assert loaded & FORBIDDEN == set()


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A process that hangs in its handler."""
    source = tmp_path / "code"
    source.mkdir()
    (source / "app.py").write_text(STUCK)
    command = [sys.executable, str(source / "app.py")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process.pid, source
    finally:
        process.kill()
        process.communicate()


def test_a_stuck_process_is_read_from_outside_into_a_scene(stuck: tuple[int, Path], tmp_path: Path) -> None:
    pid, source = stuck

    dump = outside.dump(pid, 10.0, source=str(source), message="no answer after 3.0 s")

    assert dump.ok, dump.reason
    assert dump.error is not None
    assert (dump.error.file, dump.error.line, dump.error.function) == ("app.py", 6, "wait")
    view = msgspec.json.decode(dump.members["exception.json"], type=list[ExceptionView])[0]
    assert [frame.function for frame in view.frames][-2:] == ["handler", "wait"]
    assert {name: node.text for name, node in view.frames[-1].locals}["password"] == "[redacted]"
    assert all(
        b'"hunter2"' not in data for name, data in dump.members.items() if not name.startswith("source/")
    )

    record = InvocationRecord(
        invocation_id="i-1",
        function="f",
        version=1,
        trace_id="t",
        span_id="s",
        trigger_span_id="u",
        status="timeout",
    )
    written = SceneInput(
        record=record, error=dump.error, members=dump.members, parts=dump.parts, captured_ns=1
    )
    write_scene(tmp_path / "x.scene", written)
    assert read_scene(tmp_path / "x.scene").exceptions[0].frames[-1].function == "wait"


def test_a_process_that_is_gone_is_said() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    dump = outside.dump(process.pid, 10.0)

    assert not dump.ok
    assert dump.reason
    assert dump.parts["exception"].state == "missing"


def test_a_dump_ends_in_time(stuck: tuple[int, Path]) -> None:
    dump = outside.dump(stuck[0], 0.0)

    assert not dump.ok
    assert "no answer within" in dump.reason
