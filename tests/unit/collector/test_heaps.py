"""Snapshots on their way into archives: workers are not believed, and no scene is lost by one."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.parts import PartState, Why, missing, ok
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, FunctionSpec, TakeHeap
from relive_capture.explore.scene import SceneFile, baseline_path, find_baseline, read_scene
from relive_capture.record.heap import take_heap
from relive_platform.evidence import SceneJob
from relive_platform.signals.exporters.scenes import SceneKeeper, SceneLimits, remove_earlier_heaps
from relive_platform.signals.handover.batches import HeapJob
from relive_store import Mark

SECRET = "AKIAABCDEFGHIJKLMNOP"


class Rows:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.tables: list[tuple[str, Mapping[str, Sequence[Any]]]] = []

    def add_all(
        self, tables: Sequence[tuple[str, Mapping[str, Sequence[Any]]]], mark: Mark | None = None
    ) -> None:
        self.tables += tables

    def of(self, table: str) -> list[Mapping[str, Sequence[Any]]]:
        return [columns for name, columns in self.tables if name == table]


class Desk:
    """A folder of scenes, and its keeper."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.folder = folder / "scenes"
        self.rows = Rows()
        self.keeper = SceneKeeper(self.folder, self.rows, SceneLimits(**limits))
        self.record = InvocationRecord(
            invocation_id=new_invocation_id(),
            function="shop/cart",
            version=3,
            trace_id=new_trace_id(),
            span_id=new_span_id(),
            trigger_span_id=new_span_id(),
            ended_ns=1_800_000_000_000_000_000,
            status="error",
            error=ErrorInfo(type="ValueError", message="no", kind="exception"),
            has_scene=True,
        )
        self.raw = folder / "raw"

    def write(self, *, part: PartState | None = None, **more: Any) -> SceneFile:
        """The scene, then its heap; read back."""
        self.keeper.submit(SceneJob(self.record, event=b'{"a": 1}'))
        self.keeper.submit(HeapJob(self.record, part or ok(), str(self.raw), **more))
        self.keeper.flush()
        return read_scene(self.folder / f"{self.record.invocation_id}-1.scene")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path)
    spec = FunctionSpec(name="other", version=9, handler="m:h", source=str(Path(__file__).parent))
    command = TakeHeap(invocation_id="theirs", folder=str(found.raw), max_objects=2_000)
    assert take_heap(command, spec).part.state == "partial"
    return found


def test_a_scene_gets_its_heap(desk: Desk) -> None:
    scene = desk.write()

    # Then: it reads as a heap of this invocation, whatever the worker said of itself
    heap = scene.heap()
    assert heap.meta.objects == 2_000
    assert (heap.meta.invocation_id, heap.meta.function) == (desk.record.invocation_id, "shop/cart")
    assert scene.parts["heap"].state == "ok"
    assert scene.event == b'{"a": 1}'
    # And: the store has a second row of the same scene, with a blob of its own, and the raw files are gone
    first, second = desk.rows.of("failure_scenes")
    assert first["InvocationId"] == second["InvocationId"]
    assert first["CapturedAt"] == second["CapturedAt"]
    assert (first["Parts"][0]["heap"], second["Parts"][0]["heap"]) == ("missing", "ok")
    assert second["ArchiveHash"] == [scene.hash]
    assert second["SizeBytes"][0] > first["SizeBytes"][0]
    assert not desk.raw.exists()


def test_a_batch_that_comes_again_changes_nothing(desk: Desk) -> None:
    desk.write()
    desk.keeper.submit(HeapJob(desk.record, ok(), str(desk.raw)))
    desk.keeper.flush()

    [scene] = desk.folder.glob("*.scene")
    assert read_scene(scene).parts["heap"].state == "ok"
    rows = desk.rows.of("failure_scenes")
    assert rows[-1] == rows[1]


def test_a_snapshot_stays_until_its_scene_is_spooled(desk: Desk) -> None:
    # Given a scene with its heap, written, whose rows are not spooled when the process is killed
    jobs = [SceneJob(desk.record, event=b"{}"), HeapJob(desk.record, ok(), str(desk.raw))]
    for number, job in enumerate(jobs, 1):
        desk.keeper.submit(job, Mark(7, scenes=number))
    desk.keeper.close()
    assert desk.raw.exists()

    # When the next process does all of it again
    rows = Rows()
    later = SceneKeeper(desk.folder, rows)
    for number, job in enumerate(jobs, 1):
        later.submit(job, Mark(7, scenes=number))
    later.close()

    # I expect the heap in the file, and a row of that file
    [path] = desk.folder.glob("*.scene")
    scene = read_scene(path)
    assert scene.parts["heap"].state == "ok"
    assert rows.of("failure_scenes")[-1]["ArchiveHash"] == [scene.hash]
    # ... and the snapshot gone once that is spooled, not with what came before it
    later.spooled(Mark(7, scenes=1))
    later.spooled(Mark(8, scenes=2))
    assert desk.raw.exists()
    later.spooled(Mark(7, scenes=2))
    assert not desk.raw.exists()


def test_a_file_with_a_heap_gets_its_row_from_the_next_process(desk: Desk) -> None:
    # Given a process that was killed between the file with the heap and its row
    scene = desk.write()
    rows = Rows()
    later = SceneKeeper(desk.folder, rows)
    # When the next one does it again, without the snapshot
    later.submit(HeapJob(desk.record, ok(), str(desk.raw)))
    later.close()
    # I expect the row that the file is found by
    [row] = rows.of("failure_scenes")
    assert (row["ArchiveHash"], row["Parts"][0]["heap"]) == ([scene.hash], "ok")
    assert row == desk.rows.of("failure_scenes")[1]


def test_no_heap_is_added_by_a_process_that_does_not_know_the_secrets(desk: Desk) -> None:
    # Given a scene whose writer was killed before its heap came
    desk.keeper.submit(SceneJob(desk.record, event=b'{"password": "correct horse 1"}'))
    desk.keeper.close()
    later = SceneKeeper(desk.folder, Rows())
    later.submit(HeapJob(desk.record, ok(), str(desk.raw)))
    later.close()
    # I expect none, and to be told why
    [path] = desk.folder.glob("*.scene")
    part = read_scene(path).parts["heap"]
    assert part.state == "missing"
    assert "what is secret in its scene is known no more" in part.reason


def test_snapshots_of_earlier_servers_go_and_those_of_this_one_stay(tmp_path: Path) -> None:
    # Given snapshots below the folder of a server's run
    old = [tmp_path / "heaps" / "a-1", tmp_path / "gateway-2" / "heaps" / "b-1"]
    for folder in old:
        folder.mkdir(parents=True)
    began_ns = max(folder.stat().st_ctime_ns for folder in old) + 1
    remove_earlier_heaps(tmp_path, old[0].stat().st_ctime_ns)
    assert old[0].exists()
    # When a server has begun since, I expect them to go
    remove_earlier_heaps(tmp_path, began_ns)
    assert not any(folder.exists() for folder in old)


def test_why_there_is_none_is_said(desk: Desk) -> None:
    desk.keeper.submit(SceneJob(desk.record))
    desk.keeper.submit(HeapJob(desk.record, missing(Why.WALK_LATE)))
    desk.keeper.flush()

    [scene] = desk.folder.glob("*.scene")
    part = read_scene(scene).parts["heap"]
    assert (part.state, part.reason) == ("missing", "the walk was not done in time")


def test_a_baseline(desk: Desk) -> None:
    desk.record.status = "ok"
    desk.record.error = None
    desk.keeper.submit(HeapJob(desk.record, ok(), str(desk.raw), baseline=True))
    desk.keeper.flush()

    path = baseline_path(desk.folder, "shop/cart", 3)
    assert path.parent == desk.folder / "baselines"
    assert read_scene(path).heap().meta.objects == 2_000
    assert find_baseline(desk.folder, "shop/cart", 4) == path
    assert find_baseline(desk.folder, "shop", 3) is None
    assert desk.rows.tables == []


def test_secrets_leave_the_strings(desk: Desk) -> None:
    strings = json.loads((desk.raw / "strings.json").read_bytes())
    strings[5] = f"key {SECRET}"
    (desk.raw / "strings.json").write_text(json.dumps(strings))

    scene = desk.write()

    assert SECRET not in scene.member("heap/strings.json").decode()


def test_a_heap_over_the_limit_is_left_out(tmp_path: Path, desk: Desk) -> None:
    small = Desk(tmp_path / "small", heap_bytes=1_000)
    desk.raw.rename(tmp_path / "small" / "raw")

    scene = small.write()

    assert scene.parts["heap"].state == "missing"
    assert "over the limit of 1000 (RELIVE_HEAP_ARCHIVE_BYTES)" in scene.parts["heap"].reason


def _link(raw: Path) -> None:
    (raw / "edge.u32").unlink()
    (raw / "edge.u32").symlink_to("/etc/passwd")


def _folder_link(raw: Path) -> None:
    raw.rename(raw.with_name("elsewhere"))
    raw.symlink_to(raw.with_name("elsewhere"))


def _pipe(raw: Path) -> None:
    (raw / "type.u32").unlink()
    os.mkfifo(raw / "type.u32")


def _longer(raw: Path) -> None:
    with (raw / "size.u64").open("ab") as file:
        file.write(b"\0" * 8)


def _unordered(raw: Path) -> None:
    addresses = array("Q")
    addresses.frombytes((raw / "address.u64").read_bytes())
    addresses.reverse()
    (raw / "address.u64").write_bytes(addresses.tobytes())


def _huge(raw: Path) -> None:
    meta = json.loads((raw / "meta.json").read_bytes())
    (raw / "meta.json").write_text(json.dumps({**meta, "objects": 1 << 40}))


def _no_json(raw: Path) -> None:
    (raw / "meta.json").write_bytes(b"[" * 100_000)


def _gone(raw: Path) -> None:
    (raw / "label.u32").unlink()


@pytest.mark.parametrize(
    "trick",
    [_link, _folder_link, _pipe, _longer, _unordered, _huge, _no_json, _gone],
    ids=lambda f: f.__name__,
)
def test_a_worker_that_lies_costs_its_heap_alone(desk: Desk, trick: Callable[[Path], None]) -> None:
    trick(desk.raw)

    scene = desk.write()

    assert scene.parts["heap"].state == "missing"
    assert scene.parts["heap"].reason
    assert not scene.has_heap
    assert scene.event == b'{"a": 1}'
    assert desk.keeper.failed == 0
    assert not os.path.lexists(desk.raw)
