"""Scenes on their way: malformed frames, no room, and more bytes than one message may have."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from relive_base.frames import MAX_FRAME_BYTES, ErrorInfo, LogLine, Logs, encode_frame
from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.records import InvocationRecord
from relive_platform.collector.batches import Batch, Finished, SceneJob
from relive_platform.collector.collector import Collector, CollectorLimits
from relive_platform.collector.process import _tell_missing_scenes
from relive_platform.collector.scenes import SceneKeeper, SceneLimits
from relive_platform.pool.invocation import InvokeRequest, Running


class Kept:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.tables: list[str] = []

    def add(self, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        self.tables.append(table)


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
    good = encode_frame(Logs(invocation_id="", lines=[LogLine(1, "INFO", "hello")]))[4:]
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


def test_a_record_does_not_claim_a_scene_that_there_is_no_room_for() -> None:
    records = [failed() for _ in range(3)]
    batch = Batch(1, finished=list(map(Finished, records)), scenes=list(map(SceneJob, records)))

    _tell_missing_scenes(batch, 2)

    assert [item.record.has_scene for item in batch.finished] == [True, True, False]


async def test_no_message_to_the_collector_is_larger_than_it_can_read() -> None:
    # Given a collector whose process is away
    def spawn(_: object) -> subprocess.Popen[bytes]:
        raise OSError("not now")

    collector = Collector(spawn, CollectorLimits(pending_bytes=1 << 30))

    # When many events of 3 MB fail at once
    for _ in range(60):
        running = Running(
            request=InvokeRequest(function="f", event=b"x" * 3_000_000),
            record=failed(),
            future=asyncio.get_running_loop().create_future(),
            timeout_s=1.0,
            accepted_mono=0.0,
        )
        collector.finished(running, None)
    collector._send()

    # I expect all of them to wait, in messages that it can read
    sizes = [len(message) for _, message in collector._pending]
    assert sum(sizes) > 180_000_000
    assert max(sizes) <= MAX_FRAME_BYTES
    assert collector.stats.dropped_items == 0
