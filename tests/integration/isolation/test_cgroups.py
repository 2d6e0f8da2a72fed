"""Limits that the kernel keeps: a worker with all it has started, in a cgroup of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from pool_harness import Platform, platform
from relive_platform.engine.workers.cgroups.groups import CgroupLimits, Cgroups
from relive_platform.engine.workers.cgroups.places import CONTROLLERS, Place, Places, find_places
from relive_platform.engine.workers.worker import Worker
from relive_platform.engine.workers.zygote import Zygote
from relive_runtime.isolation.family import probe_family

PLACES = find_places().found
pytestmark = pytest.mark.skipif(set(PLACES) != set(CONTROLLERS), reason=str(find_places().reasons))

MB = 1 << 20
LIMITS = CgroupLimits(margin_mb=64, pids=64)
CODE = """
import os, signal, time
def handler(event, context):
    return eval(event)
def fill(megabytes):
    # Written, never mapped: no process has these pages.
    file = os.memfd_create("hidden")
    for _ in range(megabytes):
        os.write(file, bytes(1 << 20))
def detached(megabytes):
    reading, writing = os.pipe()
    if not os.fork():
        os.setsid()
        pid = os.fork()
        if not pid:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
            fill(megabytes)
            os._exit(0)
        os.write(writing, str(os.waitpid(pid, 0)[1]).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reading, 100))
def bomb():
    started = []
    try:
        while len(started) < 500:
            pid = os.fork()
            if not pid:
                signal.pause()
            started.append(pid)
    except OSError as error:
        return len(started), type(error).__name__
    finally:
        for pid in started:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
"""


@pytest.fixture(params=[0, 1, 2])
async def limited(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    """In each tier."""
    if request.param > 1 and probe_family():
        pytest.skip("no namespaces")
    async with platform(tmp_path, tier=request.param, cgroups=LIMITS) as built:
        yield built


@pytest.fixture
async def open_to_memfd(tmp_path: Path) -> AsyncIterator[Platform]:
    """From tier 1 on functions have no memfd."""
    async with platform(tmp_path, tier=0, cgroups=LIMITS) as built:
        yield built


async def test_a_worker_and_its_zygote_have_groups_until_they_are_gone(limited: Platform) -> None:
    # Given a worker that has started another process
    pool = limited.deploy("f", CODE, timeout_s=30.0, tmp_mb=8)
    await limited.invoke("f", b'"os.fork() or time.sleep(600)"')
    worker = await limited.idle(pool)
    zygote = limited.zygotes.ready(pool.runtime.key)
    assert zygote is not None
    folders = await _folders(limited, worker)

    # I expect both of them in its group, with its limits, and the zygote's processes in another one
    # (what the worker had started before it was moved follows it)
    await limited.until(lambda: all(_pids(folder) == _family(worker.pid) for folder in folders))
    assert len(_family(worker.pid)) == 2
    assert (
        _limit(folders[0], "memory.limit_in_bytes", "memory.max")
        == (128 + (8 if limited.tier else 0) + 64) * MB
    )
    assert _limit(folders[-1], "pids.max") == 64
    zygotes = [folder for _tree, folder in _group(zygote)]
    for folder in zygotes:
        assert _pids(folder) == _family(zygote.pid) - _family(worker.pid)
    top = folders[0].parent
    # When the worker has left
    pool.remove_idle(worker)
    # I expect that its group goes with it, and all of the server's when that closes
    await limited.until(lambda: not any(folder.exists() for folder in folders))
    assert all(folder.exists() for folder in zygotes)
    await limited.engine.close()
    assert not top.exists()


async def test_memory_that_nobody_counts_ends_the_worker_at_the_groups_limit(open_to_memfd: Platform) -> None:
    # Given a function that holds memory that no process has
    pool = open_to_memfd.deploy("f", CODE, timeout_s=60.0)
    await open_to_memfd.invoke("f", b'"1"')
    await _folders(open_to_memfd, await open_to_memfd.idle(pool))

    outcome = await open_to_memfd.invoke("f", b'"fill(4000)"')

    # I expect a failure of the memory kind that says who has ended it, and a scene
    assert outcome.record.status == "memory", outcome.error
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.kind) == ("MemoryLimitExceeded", "memory")
    assert "the kernel ended the worker (SIGKILL) at the 192 MB" in outcome.error.message
    await open_to_memfd.until(lambda: len(open_to_memfd.recording.finished_runs) == 2)
    run = open_to_memfd.recording.finished_runs[1]
    assert run.record.has_scene
    assert "its process was ended by the kernel" in run.parts["live"].reason
    # The next worker is as good as new
    assert (await open_to_memfd.invoke("f", b'"1 + 1"')).body == b"2"


async def test_a_module_that_takes_all_memory_is_told_as_that(open_to_memfd: Platform) -> None:
    open_to_memfd.deploy("f", CODE + "held = fill(4000)", timeout_s=60.0)

    outcome = await open_to_memfd.invoke("f", b'"1"')

    assert outcome.record.status == "init_error"
    assert outcome.error is not None
    assert outcome.error.kind == "memory"
    assert outcome.error.message.startswith("while its module was loading, the kernel ended the worker")


async def test_memory_of_a_detached_child_is_bounded(open_to_memfd: Platform) -> None:
    pool = open_to_memfd.deploy("f", CODE, timeout_s=60.0)
    await open_to_memfd.invoke("f", b'"1"')
    folders = await _folders(open_to_memfd, await open_to_memfd.idle(pool))

    # When a child in a session of its own fills a memfd, and is the one that the kernel takes
    outcome = await open_to_memfd.invoke("f", b'"detached(4000)"')

    # I expect that it is ended at the limit, that the worker goes on, and that the log says so
    assert msgspec.json.decode(outcome.body) == signal.SIGKILL, outcome.error
    group = (await open_to_memfd.idle(pool)).handle.group
    assert group is not None
    assert group.kernel_kills() == 1
    assert _limit(folders[0], "memory.max_usage_in_bytes", "memory.peak") <= 192 * MB
    told = "the kernel ended a process of this worker (SIGKILL): all of them may hold 192 MB"
    await open_to_memfd.until(lambda: told in [line.body for line in open_to_memfd.recording.console_lines])
    # When the worker is killed by somebody else afterwards
    outcome = await open_to_memfd.invoke("f", b'"time.sleep(0.3) or os.kill(os.getpid(), signal.SIGKILL)"')
    # I expect that this is not told of the kernel
    assert outcome.error is not None
    assert (outcome.record.status, outcome.error.type) == ("crash", "WorkerKilled")


async def test_a_fork_bomb_gets_an_ordinary_error_at_the_groups_limit(limited: Platform) -> None:
    # Given a server that is root, which RLIMIT_NPROC does not hold in tiers 0 and 1
    pool = limited.deploy("f", CODE, timeout_s=60.0, memory_mb=2_048)
    await limited.invoke("f", b'"1"')
    await _folders(limited, await limited.idle(pool))

    outcome = await limited.invoke("f", b'"bomb()"')

    assert outcome.ok, outcome.error
    started, error = msgspec.json.decode(outcome.body)
    # I expect all but the worker's own process and threads
    assert 56 <= started <= 63
    assert error == "BlockingIOError"
    assert (await limited.invoke("f", b'"1 + 1"')).body == b"2"


async def test_what_a_module_starts_before_its_worker_is_moved_is_moved_too(limited: Platform) -> None:
    source = CODE + "if not os.fork():\n    time.sleep(600)\n"
    pool = limited.deploy("f", source, timeout_s=30.0)
    await limited.invoke("f", b'"1"')
    worker = await limited.idle(pool)

    folders = await _folders(limited, worker)

    await limited.until(lambda: all(_pids(folder) == _family(worker.pid) for folder in folders))
    assert len(_family(worker.pid)) == 2


@pytest.mark.parametrize("limited", [1, 2], indirect=True)
async def test_a_function_cannot_leave_its_group_from_tier_1_on(limited: Platform) -> None:
    pool = limited.deploy("f", CODE, timeout_s=30.0)
    await limited.invoke("f", b'"1"')
    folders = await _folders(limited, await limited.idle(pool))

    for file in (*folders, *(place.folder for place in PLACES.values())):
        outcome = await limited.invoke("f", f"\"open('{file}/cgroup.procs', 'w')\"".encode())
        assert outcome.error is not None
        assert outcome.error.type in ("PermissionError", "OSError"), outcome.error


_KILLED = """
import os, sys, time
from relive_platform.engine.workers.cgroups.groups import CgroupLimits, Cgroups
groups = Cgroups(CgroupLimits())
pid = os.fork()
if not pid:
    os.close(1)
    time.sleep(600)
group = groups.take_in(1, pid, 100)
while not all(str(pid) in open(file).read().split() for file in group.ways_in) or not group.ways_in:
    time.sleep(0.001)
print(pid, *group.ways_in, flush=True)
time.sleep(600)
"""


def test_groups_of_a_killed_server_are_removed_when_all_that_was_in_them_has_gone() -> None:
    # Given a server that was killed, and a worker of it that still runs
    with subprocess.Popen([sys.executable, "-c", _KILLED], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        worker, *files = server.stdout.readline().split()
        server.kill()
    tops = {Path(file).parents[1] for file in files}
    assert all(str(server.pid) in top.name for top in tops)
    try:
        # I expect that the next one leaves them as long as it does
        Cgroups(CgroupLimits()).close()
        assert [_pids(Path(file).parent) for file in files] == [{int(worker)}] * len(files)
    finally:
        os.kill(int(worker), signal.SIGKILL)
    # When it has gone
    while any(_pids(Path(file).parent) for file in files):
        pass
    # I expect the same of them
    Cgroups(CgroupLimits()).close()
    assert not [top for top in tops if top.exists()]


def test_where_nothing_can_be_made_it_is_told_and_nothing_fails(tmp_path: Path) -> None:
    place = Place(1, tmp_path / "none")

    groups = Cgroups(CgroupLimits(), lambda: Places({"memory": place, "pids": place}))

    assert not groups.available
    assert groups.detail == f"none: {tmp_path / 'none'}: No such file or directory"
    groups.close()


def _group(of: Worker | Zygote) -> list[tuple[object, Path]]:
    group = of.group if isinstance(of, Zygote) else of.handle.group  # type: ignore[attr-defined]
    assert group is not None
    return list(group.folders)


async def _folders(where: Platform, worker: Worker) -> list[Path]:
    """Of a worker's group, as soon as it is in there: memory, pids."""
    await where.until(
        lambda: (
            len(_group(worker)) == len({*PLACES.values()})
            and all(worker.pid in _pids(folder) for _tree, folder in _group(worker))
        )
    )
    return [folder for _tree, folder in _group(worker)]


def _pids(folder: Path) -> set[int]:
    try:
        return {int(word) for word in (folder / "cgroup.procs").read_text().split()}
    except FileNotFoundError:
        return set()


def _family(pid: int) -> set[int]:
    found, queue = {pid}, [pid]
    while queue:
        text = Path(f"/proc/{queue.pop()}/task").glob("*/children")
        for child in [int(word) for file in text for word in file.read_text().split()]:
            found.add(child)
            queue.append(child)
    return found


def _limit(folder: Path, *names: str) -> int:
    return int(next((folder / name).read_text() for name in names if (folder / name).exists()))
