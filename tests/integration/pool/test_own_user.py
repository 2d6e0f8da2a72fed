"""Tier 2 on a server that is root: what a failure needs goes on, whoever the worker is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from custom_programs import program
from own_users import FIRST
from pool_harness import Platform, platform
from relive_platform.engine.workers.users import BLOCK, UserBlock, UserRange
from relive_runtime.isolation import landlock
from relive_runtime.isolation.family import probe_family

WHO = "import os\ndef handler(event, context):\n    return [os.getuid(), os.getgid(), os.environ['HOME']]\n"
FAILS = """
import os, signal, time
def handler(event, context):
    basket = "of eggs"
    %s
    time.sleep(30)
"""
WAYS = {
    "exception": ("raise KeyError('sku')", "error"),
    "hang": ("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))", "timeout"),
    "memory": ("block = bytearray(150 << 20)", "memory"),
}


@pytest.fixture
async def own_users(tmp_path: Path) -> AsyncIterator[Platform]:
    if os.geteuid() or probe_family() or landlock.abi_version() < 1:
        pytest.skip("not root, or no namespaces, or no Landlock")
    async with platform(tmp_path, tier=2) as built:
        yield built


async def test_a_worker_has_a_user_until_it_is_gone(own_users: Platform) -> None:
    pool = own_users.deploy("f", WHO)

    uid, gid, home = msgspec.json.decode((await own_users.invoke("f")).body)

    assert uid == gid > FIRST
    assert os.stat(home).st_uid == uid
    worker = await own_users.idle(pool)
    assert (worker.ready.isolation_tier, worker.ready.isolation_detail) == (2, [])  # type: ignore[union-attr]
    # When it has left
    zygote = own_users.zygotes.ready(pool.runtime.key)
    pool.remove_idle(worker)
    # I expect that nothing of it is there, and that its number is free again
    await own_users.until(lambda: not os.path.exists(home))
    assert zygote is not None
    users = zygote.users
    assert users is not None
    await own_users.until(lambda: uid in users._free)


async def test_a_program_of_any_language_is_as_alone_as_a_python_function(own_users: Platform) -> None:
    # Given two programs of kind "custom", and what only root may read
    event = msgspec.json.encode({"act": "who", "secret": "/etc/shadow", "server": os.getpid()})
    told = []
    for name in ("lab", "other"):
        source = str(program(own_users.code / name))
        own_users.deploy(name, "", kind="custom", source=source)
        outcome = await own_users.invoke(name, event)
        assert outcome.record.isolation_tier == 2
        told.append(msgspec.json.decode(outcome.body))

    # I expect each to have a user and processes of its own, a /tmp, and nothing of anybody else
    first, second = told
    assert first["uid"] == first["gid"] > FIRST
    assert second["uid"] not in (first["uid"], 0)
    for one in told:
        assert one["pid"] in one["processes"]
        assert len(one["processes"]) <= 3
        assert (one["read"], one["tmp"]) == ("Permission denied", "None")
        assert one["write"] in ("Permission denied", "Read-only file system")
        assert one["kill"] in ("No such process", "Operation not permitted")


@pytest.mark.parametrize("way", WAYS)
async def test_a_failure_is_seen_with_its_locals(own_users: Platform, way: str) -> None:
    code, status = WAYS[way]
    own_users.deploy("f", FAILS % code, memory_mb=96, timeout_s=1.0 if way == "hang" else 60.0)

    outcome = await own_users.invoke("f")

    assert outcome.record.status == status, outcome.error
    await own_users.until(lambda: own_users.recording.finished_runs)
    run = own_users.recording.finished_runs[0]
    told = [run.scene, *run.members.values()]
    assert any(b"basket" in part and b"of eggs" in part for part in told), (run.parts, told)


def test_a_number_is_given_once_and_comes_back_last() -> None:
    users = UserRange(900_000, 2 * BLOCK)
    first, second = users.take(), users.take()
    assert isinstance(first, UserBlock)
    assert isinstance(second, UserBlock)
    assert users.take() is None

    given = [first.take() for _ in range(BLOCK)]
    assert given == [*range(900_001, 900_000 + BLOCK), 0]
    first.give_back(900_007)
    first.give_back(900_003)
    assert (first.take(), first.take(), first.take()) == (900_007, 900_003, 0)
    assert second.take() == 900_001 + BLOCK

    users.give_back(second)
    again = users.take()
    assert again is not None
    assert again.first == second.first
