"""Heap snapshots of real workers: of a failure, at the memory limit, of a success; why there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from relive_base.parts import Why
from relive_base.records import InvocationRecord
from relive_base.wire.messages import Scene
from relive_platform.engine.pool import PoolLimits
from relive_platform.engine.workers.life import FROZEN
from relive_platform.evidence import HeapFound, SceneJob

from tests.support.heap_files import HeapFiles
from tests.support.pool_harness import Platform, platform

FAIL = """
def handler(event, context):
    hoard = [{"n": index} for index in range(20_000)]
    raise ValueError(event)
"""
HOG = """
KEEP = []

def grow(rows):
    while True:
        rows.append({"row": list(range(50))})

def handler(event, context):
    grow(KEEP)
"""
BLIND_HOG = """
import signal

def handler(event, context):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    rows = []
    while True:
        rows.append(bytearray(100_000))
"""
MEMORY_ERROR = """
def handler(event, context):
    rows = [[index] for index in range(50_000)]
    block = bytearray(4_000_000_000)
"""


@pytest.fixture
async def platforms(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


async def heap_of(running: Platform, number: int = 0) -> tuple[InvocationRecord, HeapFound]:
    await running.until(lambda: len(running.recording.heaps) > number, 60.0)
    return running.recording.heaps[number]


async def test_a_failure_leaves_its_heap(platforms: Platform) -> None:
    pool = platforms.deploy("f", FAIL, limits=PoolLimits(waiting_workers=1))

    # When: it fails
    outcome = await platforms.invoke("f", b"1")

    # Then: the scene is handed on at once, and says that a heap is on its way
    assert outcome.record.status == "error"
    await platforms.until(lambda: platforms.recording.finished_runs)
    assert platforms.recording.finished_runs[0].parts["heap"].state == "missing"
    # And: another worker takes the place of the first one without waiting for it
    assert all(worker.state != FROZEN for worker in pool.live())
    record, found = await heap_of(platforms)
    assert (record.invocation_id, found.part.state) == (outcome.record.invocation_id, "ok")
    heap = HeapFiles.read(Path(found.folder))
    heap.check()
    hoard = heap.local("handler", "hoard")
    assert len(heap.held(hoard)) >= 20_000
    assert heap.meta["invocation_id"] == outcome.record.invocation_id
    # And: its process is kept, stopped
    [kept] = list(platforms.host.frozen)
    await platforms.until(lambda: process_state(kept.worker.pid) == "T")


async def test_a_module_that_could_not_be_loaded_leaves_its_heap(platforms: Platform) -> None:
    platforms.deploy("broken", "HOARD = [str(n) for n in range(20_000)]\n{}['fr']\n")

    outcome = await platforms.invoke("broken")

    assert outcome.record.status == "init_error"
    record, found = await heap_of(platforms)
    assert (record.invocation_id, found.part.state, found.baseline) == (
        outcome.record.invocation_id, "ok", False,
    )  # fmt: skip
    heap = HeapFiles.read(Path(found.folder))
    heap.check()
    assert len(heap.held(heap.local("<module>", "HOARD"))) >= 20_000
    [kept] = list(platforms.host.frozen)
    await platforms.until(lambda: process_state(kept.worker.pid) == "T")


async def test_the_same_failure_again(platforms: Platform) -> None:
    platforms.deploy("f", FAIL)
    first = await platforms.invoke("f", b"1")
    await heap_of(platforms)

    await platforms.invoke("f", b"2")
    await platforms.until(lambda: len(platforms.recording.finished_runs) == 2)

    part = platforms.recording.finished_runs[1].parts["heap"]
    assert part.state == "missing"
    same = part.because(Why.HEAP_OF_SAME_FAILURE)
    assert same is not None
    assert first.record.invocation_id in same.arguments
    assert part.reason.startswith("the same failure's heap was taken ")
    assert "RELIVE_HEAP_INTERVAL_S" in part.reason
    assert len(platforms.recording.heaps) == 1


async def test_a_worker_that_walks_its_heap_is_not_ended_for_the_next_failures(platforms: Platform) -> None:
    # Given failures that come faster than their heaps are walked, and two workers that may be kept
    for name in ("f", "g", "h", "i"):
        platforms.deploy(name, FAIL.replace("20_000", "200_000"), memory_mb=512)
    for name in ("f", "g", "h", "i"):
        await platforms.invoke(name, b"1")

    # Then the two that were walked have their heaps; the others say why they have none
    await platforms.until(lambda: len(platforms.recording.heaps) == 2, 60.0)
    assert [found.part.state for _, found in platforms.recording.heaps] == ["ok", "ok"]
    # And the last two that could be kept are, and no more
    await platforms.until(lambda: len(platforms.host.workers) - platforms.host.counts()["idle"] == 2)
    kept = [kept.worker for kept in platforms.host.frozen]
    assert [worker.spec.name for worker in kept] == ["h", "i"]
    await platforms.until(lambda: all(process_state(worker.pid) == "T" for worker in kept))


async def test_at_the_memory_limit_the_hoard_is_the_biggest(platforms: Platform) -> None:
    platforms.deploy("hog", HOG, timeout_s=30.0, memory_mb=96)

    outcome = await platforms.invoke("hog")

    # Then: the caller has its answer before the heap is there
    assert outcome.record.status == "memory"
    assert platforms.recording.heaps == []
    record, found = await heap_of(platforms)
    assert found.part.state == "ok", found.part.reason
    # And: the process told its frames itself
    await platforms.until(lambda: platforms.recording.finished_runs)
    [run] = platforms.recording.finished_runs
    scene = scene_of(run)
    assert scene.error.type == "MemoryLimitExceeded"
    # ... in the words that the caller has, which are the same each time
    assert scene.error.message == "the worker was stopped at 85 % of its 96 MB of memory"
    assert outcome.record.error is not None
    assert outcome.record.error.message == scene.error.message
    assert record.error is not None
    assert record.error.function == "grow"
    # And: the largest list is the hoard, held by the module
    heap = HeapFiles.read(Path(found.folder))
    heap.check()
    lists = [number for number in range(heap.meta["objects"]) if heap.type_of(number) == "list"]
    biggest = max(lists, key=lambda number: heap.columns["size"][number])
    assert biggest == heap.local("grow", "rows")
    # And: it is kept, stopped, for a debugger
    await platforms.until(lambda: platforms.host.counts()["frozen"] == 1)
    assert run.parts["live"].state == "ok"


async def test_a_process_that_does_not_react(platforms: Platform) -> None:
    platforms.deploy("blind", BLIND_HOG, timeout_s=30.0, memory_mb=96)

    outcome = await platforms.invoke("blind")
    await platforms.until(lambda: platforms.recording.finished_runs, 60.0)

    [run] = platforms.recording.finished_runs
    assert outcome.record.status == "memory"
    assert run.parts["heap"].state == "missing"
    assert "the process" in run.parts["heap"].reason
    assert "exception.json" in run.members  # read from outside, as before


async def test_a_memory_error(platforms: Platform) -> None:
    platforms.deploy("f", MEMORY_ERROR, memory_mb=96)

    outcome = await platforms.invoke("f")

    assert outcome.record.status == "memory"
    _, found = await heap_of(platforms)
    assert found.part.state == "ok", found.part.reason
    heap = HeapFiles.read(Path(found.folder))
    assert len(heap.held(heap.local("handler", "rows"))) >= 50_000


async def test_a_baseline(platforms: Platform) -> None:
    pool = platforms.deploy("f", "def handler(event, context):\n    return event\n")
    pool.aftermath.want_baseline()

    await platforms.invoke("f", b"1")
    await platforms.invoke("f", b"2")

    record, found = await heap_of(platforms)
    assert (found.part.state, found.baseline) == ("ok", True)
    assert not pool.aftermath.baseline_next
    heap = HeapFiles.read(Path(found.folder))
    heap.check()
    assert not [root for root in heap.roots if root["kind"] == "frame"]
    assert record.status == "ok"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"capture": "frames"}, 'capture = "frames" in relive.toml: no heap is kept'),
        ({"capture": "off"}, 'capture = "off" in relive.toml: no heap is kept'),
    ],
)
async def test_it_is_not_wanted(platforms: Platform, spec: dict[str, Any], reason: str) -> None:
    platforms.deploy("f", FAIL, **spec)

    await platforms.invoke("f")
    await platforms.until(lambda: platforms.recording.finished_runs)

    part = platforms.recording.finished_runs[0].parts["heap"]
    assert (part.state, part.reason) == ("missing", reason)


async def test_the_machine_is_short_of_memory(platforms: Platform) -> None:
    platforms.deploy("f", FAIL)
    platforms.host.heaps._available = lambda: 10 * 1_048_576

    await platforms.invoke("f")
    await platforms.until(lambda: platforms.recording.finished_runs)

    part = platforms.recording.finished_runs[0].parts["heap"]
    assert part.state == "missing"
    assert part.reason.startswith("memory: 10 MB were available on the machine, under ")


@pytest.mark.parametrize(
    "trick", ["import os; os.kill(os.getpid(), 9)", "import os; os.symlink('/etc', command.folder)"]
)
async def test_a_worker_that_tricks(platforms: Platform, trick: str) -> None:
    # Given: code that has put itself in the place of what takes snapshots
    platforms.deploy(
        "f",
        f"""
import relive_capture.record.heap as heap
from relive_base.parts import ok
from relive_base.wire.messages import HeapTaken

def trick(command, *rest):
    {trick}
    return HeapTaken(invocation_id=command.invocation_id, part=ok(), folder="/etc")

heap.take_heap = trick

def handler(event, context):
    raise ValueError
""",
    )

    await platforms.invoke("f")
    _, found = await heap_of(platforms)

    # Then: what it says of itself is not believed
    if found.part.state == "ok":
        assert Path(found.folder).parent == platforms.folder / "run" / "heaps"
    else:
        assert "the process ended" in found.part.reason


def scene_of(run: SceneJob) -> Scene:
    import msgspec

    return msgspec.msgpack.decode(run.scene, type=Scene)


def process_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
