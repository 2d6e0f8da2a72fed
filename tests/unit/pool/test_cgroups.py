"""Where cgroups can be made, and what is written there: on folders that look like the kernel's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cgroup_tree import make_group, process_folder, remove_group
from relive_platform.engine.workers.cgroups.groups import CgroupLimits, Group, describe
from relive_platform.engine.workers.cgroups.places import Place, find_places
from relive_platform.engine.workers.cgroups.tree import Tree, kernel_kills, name_of

V2 = "30 24 0:27 {part} {place} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "35 31 0:32 {part} {place} rw,relatime - cgroup cgroup rw,{controllers}\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The group of a service below a hierarchy of version 2, with this process in it."""
    (tmp_path / "fs").mkdir()
    folder = tmp_path / "fs" / "relive.service"
    make_group(folder)
    (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
    return folder


def _find(tmp_path: Path, groups: str = "0::/relive.service\n", mounts: str = "", systemd: str = "none"):  # type: ignore[no-untyped-def]
    mounts = mounts or V2.format(part="/", place=tmp_path / "fs")
    return find_places(process_folder(tmp_path / "proc", groups, mounts), tmp_path / systemd)


def test_version_2_is_taken_with_all_of_its_controllers(tmp_path: Path, own: Path) -> None:
    places = _find(tmp_path)

    assert places.found == {"memory": Place(2, own), "pids": Place(2, own)}
    assert places.reasons == {}


def test_version_2_comes_before_version_1_where_both_have_the_controller(tmp_path: Path, own: Path) -> None:
    # Given a machine whose memory controller is in version 2, and pids in version 1
    (own / "cgroup.controllers").write_text("memory\n")
    (tmp_path / "pids" / "box").mkdir(parents=True)
    mounts = V1.format(part="/", place=tmp_path / "pids", controllers="pids") + V2.format(
        part="/", place=tmp_path / "fs"
    )

    places = _find(tmp_path, "4:pids:/box\n0::/relive.service\n", mounts)

    assert places.found == {"memory": Place(2, own), "pids": Place(1, tmp_path / "pids" / "box")}


def test_a_group_below_the_part_that_is_mounted_is_found(tmp_path: Path) -> None:
    # Given a container that has its own part of a hierarchy mounted, and knows its whole path
    (tmp_path / "fs" / "inner").mkdir(parents=True)
    mounts = V1.format(part="/docker/ab", place=tmp_path / "fs", controllers="memory,pids")
    groups = "3:memory,pids:/docker/ab/inner\n"

    assert _find(tmp_path, groups, mounts).found["memory"] == Place(1, tmp_path / "fs" / "inner")


def test_a_group_outside_of_what_is_mounted_is_told(tmp_path: Path) -> None:
    (tmp_path / "fs").mkdir()
    mounts = V1.format(part="/docker/ab", place=tmp_path / "fs", controllers="memory,pids")

    places = _find(tmp_path, "3:memory,pids:/docker/cd\n", mounts)

    assert places.found == {}
    assert places.reasons["pids"] == "its own group is not below what is mounted of the hierarchy"


def test_without_controllers_and_without_cgroups_it_is_told(tmp_path: Path, own: Path) -> None:
    (own / "cgroup.controllers").write_text("cpu io\n")
    assert set(_find(tmp_path).reasons.values()) == {"no hierarchy of cgroups has this controller"}
    assert set(find_places(tmp_path / "nothing").reasons.values()) == {"cgroups need Linux, and /proc"}


def test_a_group_with_other_processes_is_left_alone(tmp_path: Path, own: Path) -> None:
    # Given a session's group, with a shell in it
    (own / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")

    places = _find(tmp_path)

    assert places.found == {}
    assert "has other processes, too; give the server a group of its own" in places.reasons["memory"]


def test_where_systemd_runs_a_group_has_to_be_delegated(tmp_path: Path, own: Path) -> None:
    (tmp_path / "systemd").mkdir()

    assert "is systemd's to manage" in _find(tmp_path, systemd="systemd").reasons["pids"]
    try:
        os.setxattr(own, "user.delegate", b"1")
    except OSError:
        os.setxattr(own, "trusted.delegate", b"1")
    (tmp_path / "proc").rename(tmp_path / "before")
    assert _find(tmp_path, systemd="systemd").found["pids"] == Place(2, own)


def test_the_server_goes_into_a_group_of_its_own_and_passes_controllers_on(own: Path) -> None:
    tree = Tree(2, own, ["memory", "pids"], make_group, remove_group)

    tree.open()

    top = own / f"{name_of(os.getpid())}-1"
    assert (top / "server" / "cgroup.procs").read_text() == str(os.getpid())
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (top / "cgroup.subtree_control").read_text() == "+memory +pids"
    # When it closes
    (own / "cgroup.procs").write_text("")
    (top / "server" / "cgroup.procs").write_text("")
    # I expect that all of it is taken back
    assert tree.close()
    assert (own / "cgroup.subtree_control").read_text() == "-memory -pids"
    assert not top.exists()


def test_where_controllers_are_passed_on_already_the_server_stays_where_it_is(own: Path) -> None:
    (own / "cgroup.subtree_control").write_text("memory pids")
    tree = Tree(2, own, ["memory", "pids"], make_group, remove_group)

    tree.open()

    assert not (own / f"{name_of(os.getpid())}-1" / "server").exists()
    assert (own / "cgroup.procs").read_text() == f"{os.getpid()}\n"


def test_a_workers_group_has_its_limits_and_no_swap(own: Path) -> None:
    tree = Tree(2, own, ["memory", "pids"], make_group, remove_group)
    tree.open()

    folder = tree.make("worker-7", 300 << 20, 64)

    assert folder == own / f"{name_of(os.getpid())}-1" / "worker-7"
    told = {name: (folder / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max")}
    assert told == {"memory.max": str(300 << 20), "memory.swap.max": "0", "pids.max": "64"}
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        tree.enter(folder, child.pid)
    assert (folder / "cgroup.procs").read_text() == str(child.pid)
    assert not tree.remove(folder)
    (folder / "cgroup.procs").write_text("")
    assert tree.remove(folder)
    assert tree.remove(folder)


def test_two_servers_of_one_process_have_a_group_each(own: Path) -> None:
    trees = [Tree(2, own, ["pids"], make_group, remove_group) for _ in range(2)]
    folders = []
    for tree in trees:
        tree.open()
        folders.append(tree.make("worker-1", 1, 64))
    assert folders[0] != folders[1]


def test_what_servers_that_are_gone_have_left_is_removed_once_it_is_empty(own: Path) -> None:
    # Given groups of a server that is gone, of one whose number another process has by now, and strangers
    gone, reused, living = "relive-4194999-77-1", f"relive-{os.getpid()}-1-1", f"{name_of(os.getpid())}-9"
    for name in (gone, reused, living, "relive-others", "somebody"):
        make_group(own / name)
    make_group(own / gone / "worker-3")
    make_group(own / reused / "worker-4")
    (own / reused / "worker-4" / "cgroup.procs").write_text("1\n")
    tree = Tree(2, own, ["pids"], make_group, remove_group)

    tree.sweep()

    left = {entry.name for entry in own.iterdir() if entry.is_dir()}
    assert left == {reused, living, "relive-others", "somebody"}
    assert tree.leftovers
    (own / reused / "worker-4" / "cgroup.procs").write_text("")
    tree.sweep()
    assert not tree.leftovers
    assert not (own / reused).exists()


@pytest.mark.parametrize(
    ("version", "file", "text", "count"),
    [
        (2, "memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", 2),
        (2, "memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 0\n", 0),
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
        (1, "none", "", 0),
    ],
)
def test_what_the_kernel_has_ended_is_counted(
    tmp_path: Path, version: int, file: str, text: str, count: int
) -> None:
    (tmp_path / file).write_text(text)
    assert kernel_kills(version, tmp_path) == count


def test_a_kill_is_told_once_and_is_the_workers_own_only_if_it_did_not_outlive_it(own: Path) -> None:
    # Given a group whose kernel has ended a process
    tree = Tree(2, own, ["memory"], make_group, remove_group)
    group = Group("worker-1", 100)
    group.folders.append((tree, own))
    (own / "memory.events").write_text("oom_kill 1\n")

    # I expect that nothing is concluded as long as the worker may be the one
    assert not group.look(lambda: True)
    assert (group.kernel_kills(), group.outlived) == (1, 0)
    # ... that it is told once, and that the worker is not the one if it is there at the next look
    assert group.look(lambda: False)
    assert not group.settled
    assert not group.look(lambda: False)
    assert (group.kernel_kills(), group.outlived, group.settled) == (1, 1, True)
    # When the worker is the next one, and its group is removed
    (own / "memory.events").write_text("oom_kill 2\n")
    group.leave()
    (own / "memory.events").unlink()
    # I expect that its last word is kept
    assert group.kernel_kills() == 2 > group.outlived


def test_what_is_in_force_is_told() -> None:
    limits = CgroupLimits(margin_mb=100, pids=2_000)
    both = describe(limits, {"memory": 1, "pids": 2}, {})
    assert both == (
        "memory of a worker and all it has started: memory_mb + tmp_mb + 100 MB (v1);"
        " processes and threads: 2,000 (v2)"
    )
    assert (
        describe(limits, {"pids": 2}, {"memory": "why"})
        == "processes and threads: 2,000 (v2); no memory: why"
    )
    assert describe(limits, {}, {"memory": "why", "pids": "why"}) == "none: why"
