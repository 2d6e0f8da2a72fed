"""Scenes on their way: malformed frames, no room, and more bytes than one message may have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.records import InvocationRecord
from relive_base.wire.messages import MAX_FRAME_BYTES, ErrorInfo, FunctionSpec, LogLine, Logs, encode_payload
from relive_platform.evidence import Finished, SceneJob
from relive_platform.signals.exporters.scenes import SceneKeeper, SceneLimits
from relive_platform.signals.handover.collector import Collector, CollectorLimits
from relive_store import Mark


class Kept:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.tables: list[str] = []

    def add_all(
        self, tables: Sequence[tuple[str, Mapping[str, Sequence[object]]]], mark: Mark | None = None
    ) -> None:
        self.tables += [table for table, _ in tables]


def failed() -> InvocationRecord:
    return InvocationRecord(
        invocation_id=new_invocation_id(),
        function="f",
        version=1,
        trace_id=new_trace_id(),
        span_id=new_span_id(),
        trigger_span_id=new_span_id(),
        accepted_ns=1_800_000_000_000_000_000,
        status="error",
        error=ErrorInfo(type="ValueError", message="no", kind="exception"),
        has_scene=True,
    )


def test_a_malformed_frame_costs_that_frame_and_not_the_scene(tmp_path: Path) -> None:
    # Given the telemetry of a failed invocation, one frame of which is none
    good = encode_payload(Logs(invocation_id="", lines=[LogLine(1, "INFO", "hello")]))
    wrong = good.replace(b"hello", b"\xff\xfe\xfd\xfc\xfb")
    writer = Kept()
    keeper = SceneKeeper(tmp_path, writer)

    # When its scene is written
    keeper.submit(SceneJob(failed(), telemetry=[wrong, good, b"\xc1"], profiles=[b"\xc1"], scene=b"\xc1"))
    keeper.close()

    # I expect a scene
    assert (keeper.written, keeper.failed) == (1, 0)
    assert "failure_scenes" in writer.tables


def test_a_scene_that_passes_its_retention_takes_its_analysed_heap_along(tmp_path: Path) -> None:
    # Given three scenes, each with an analysed heap
    keeper = SceneKeeper(tmp_path, Kept(), SceneLimits(count=1))
    (tmp_path / "cache").mkdir()
    for age, name in enumerate(("a-1", "b-1", "c-1")):
        (tmp_path / f"{name}.scene").write_bytes(b"scene")
        os.utime(tmp_path / f"{name}.scene", (2e9 - age, 2e9 - age))
        (tmp_path / "cache" / f"{name}.{'0' * 32}.heap").write_bytes(b"heap")

    # When only one may stay
    assert keeper.sweep() == 2
    keeper.close()

    # I expect the newest with its heap
    assert [path.name for path in tmp_path.glob("*.scene")] == ["a-1.scene"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"a-1.{'0' * 32}.heap"]


def test_a_sweep_that_was_killed_is_done_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a scene with notes of its replays, whose time is over, and a process that is killed in its sweep
    scene, notes = tmp_path / "a-1.scene", tmp_path / "a-1.replays.jsonl"
    for path in (scene, notes):
        path.write_bytes(b"{}")
        os.utime(path, (1_000_000_000, 1_000_000_000))
    keeper = SceneKeeper(tmp_path, Kept())
    removes = Path.unlink
    left = iter([True])

    class Killed(BaseException):
        """Stands for the end of the process."""

    def once(path: Path, missing_ok: bool = False) -> None:
        if not next(left, False):
            raise Killed
        removes(path, missing_ok)

    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", once)
        with pytest.raises(Killed):
            keeper.sweep()
    # When the next one sweeps, I expect all of it gone
    assert keeper.sweep() == 1
    keeper.close()
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_killed_processes_go_in_time(tmp_path: Path) -> None:
    # Given drafts that processes were writing: one that was killed, and one that is at it
    for name in ("old", "new"):
        (tmp_path / f".{name}.scene.1.2.tmp").write_bytes(b"half")
    os.utime(tmp_path / ".old.scene.1.2.tmp", (1_000_000_000, 1_000_000_000))
    keeper = SceneKeeper(tmp_path, Kept())
    # When the folder is swept, I expect the one to be gone
    keeper.sweep()
    keeper.close()
    assert [path.name for path in tmp_path.glob(".*.tmp")] == [".new.scene.1.2.tmp"]


def fails(collector: Collector, event: bytes = b"", function: str = "f") -> InvocationRecord:
    """An attempt that fails."""
    record = failed()
    record.function = function
    collector.finished(Finished(record), SceneJob(record, event=event), b"")
    return record


def away(_: object) -> subprocess.Popen[bytes]:
    raise OSError("not now")


async def test_a_record_does_not_claim_a_scene_that_there_is_no_room_for() -> None:
    # Given room for two scenes that are not written yet
    collector = Collector(away, CollectorLimits(scenes_waiting=4))
    # When three invocations fail
    failures = [fails(collector) for _ in range(3)]
    # I expect the third record to say that there is none, and that to be counted
    assert [one.has_scene for one in failures] == [True, True, False]
    assert collector.stats.dropped_scenes == {"scenes_waiting 4": 1}


async def test_each_limit_that_leaves_no_room_is_counted_by_its_name() -> None:
    # Given room for one small scene, in bytes
    collector = Collector(away, CollectorLimits(pending_bytes=20_000))
    # When a large one comes
    assert not fails(collector, b"x" * 30_000).has_scene
    # I expect its limit to be named
    assert collector.stats.dropped_scenes == {"pending_bytes 20000": 1}


async def test_no_message_to_the_collector_is_larger_than_it_can_read() -> None:
    # Given a collector whose process is away
    collector = Collector(away, CollectorLimits(pending_bytes=1 << 30))

    # When many events of 3 MB fail at once
    for _ in range(60):
        fails(collector, b"x" * 3_000_000)
    collector._send()

    # I expect all of them to wait, in messages that it can read
    sizes = [len(waiting.message) for waiting in collector._scenes.pending]
    assert sum(sizes) > 180_000_000
    assert max(sizes) <= MAX_FRAME_BYTES
    assert collector.stats.dropped_items == 0


async def test_a_flood_of_one_function_costs_no_other_a_row_nor_a_scene() -> None:
    # Given a collector whose process is away, and a function that floods: lines, and large failures
    collector = Collector(away, CollectorLimits(pending_bytes=1_000_000, scenes_waiting=100))
    loud = FunctionSpec(name="f", version=1, handler="m:h")
    for _ in range(2_000):
        collector._row(loud, "i", 1, b"x" * 1_000)
    for _ in range(200):
        fails(collector, b"y" * 10_000)
    dropped = collector.stats.dropped_items
    assert dropped > 1_000
    assert collector.stats.dropped_scenes.total() > 100
    # When others have something to tell
    quiet = FunctionSpec(name="quiet", version=1, handler="m:h")
    # I expect room for all of it
    assert all(collector._row(quiet, "q", 1, b"a line") for _ in range(20))
    assert fails(collector, function="quiet").has_scene
    assert collector.stats.dropped_items == dropped
