"""The cgroups of a server's workers: one for each, one for each zygote, made and removed in a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_platform.engine.workers.cgroups.places import CONTROLLERS, Places, find_places
from relive_platform.engine.workers.cgroups.tree import Tree, kernel_kills
from relive_platform.engine.workers.descendants import descendants

__all__ = ["CgroupLimits", "Cgroups", "Group", "describe"]

_MB: Final = 1_048_576
_CLOSE_S: Final = 2.0
_LOOK_S: Final = 0.01
_SWEEP_S: Final = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """What the groups may hold. `margin_mb`: of a worker, beyond its function's memory and its own /tmp; so
    far that Relive's own look, which leaves a scene with frames, and RLIMIT_DATA, which makes a MemoryError
    of one huge allocation, come first. `zygote_mb`: of a zygote, with workers that are not in their own group
    yet. `pids`: processes and threads of a group. `enabled`: whether there are to be any."""

    margin_mb: int = 640
    zygote_mb: int = 4_096
    pids: int = 1_024
    enabled: bool = True


def describe(limits: CgroupLimits, versions: Mapping[str, int], reasons: Mapping[str, str]) -> str:
    """What is in force, by controller, and what is not, with its reason."""
    values = {
        "memory": f"memory of a worker and all it has started: memory_mb + tmp_mb + {limits.margin_mb} MB",
        "pids": f"processes and threads: {limits.pids:,}",
    }
    told = [f"{values[name]} (v{versions[name]})" for name in CONTROLLERS if name in versions]
    if not told and len(set(reasons.values())) == 1:
        return f"none: {next(iter(reasons.values()))}"
    return "; ".join([*told, *(f"no {name}: {reasons[name]}" for name in CONTROLLERS if name in reasons)])


class Group:
    """The group of one worker or zygote, in each hierarchy."""

    def __init__(self, name: str, memory_mb: int) -> None:
        self.name = name
        self.memory_mb = memory_mb
        """All that is in it may hold."""
        self.left = False
        """What it was for has ended."""
        self._kernel_kills = 0
        self._seen = 0  # of them, at the last look
        self.outlived = 0
        """Of them, those that were not the worker: it has lived on for a look."""
        self.folders: list[tuple[Tree, Path]] = []

    @property
    def ways_in(self) -> list[str]:
        """The files to which a process writes itself."""
        return [str(folder / "cgroup.procs") for _tree, folder in self.folders]

    def kernel_kills(self) -> int:
        """How many of its processes the kernel has ended for its memory. 20 us."""
        if not self.left:
            self._kernel_kills = sum(
                kernel_kills(tree.version, folder)
                for tree, folder in self.folders
                if "memory" in tree.controllers
            )
        return self._kernel_kills

    @property
    def settled(self) -> bool:
        """Whether the worker has outlived all that was seen."""
        return self.outlived == self._seen

    def look(self, is_ending: Callable[[], bool]) -> bool:
        """Whether the kernel has ended a process since the last look. `is_ending`: whether the worker is."""
        kills = self.kernel_kills()
        if kills == self.outlived or is_ending():
            return False  # if it is, it may be the one
        fresh = kills > self._seen
        self.outlived, self._seen = self._seen, kills
        return fresh

    def leave(self) -> None:
        """What it was for has ended, and it is about to be removed: its last word is kept."""
        self.kernel_kills()
        self.left = True


class Cgroups:
    """If none can be had, nothing happens, and `detail` says why."""

    def __init__(self, limits: CgroupLimits, find: Callable[[], Places] = find_places) -> None:
        self.detail = "off (RELIVE_CGROUPS=off)"
        self.places = Places()
        self._limits = limits
        self._trees: list[Tree] = []
        self._lasting: list[Group] = []  # with a process that has not gone yet
        self._failed = False
        self._closed = False
        self._sweep_until = time.monotonic() + _SWEEP_S
        # One at a time: moving the first process takes the kernel 15 ms, and 0.1 ms each that follows it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cgroups")
        if limits.enabled:
            self._open(find())

    @property
    def available(self) -> bool:
        """Whether there is any."""
        return bool(self._trees)

    def _open(self, places: Places) -> None:
        self.places = places
        reasons = dict(places.reasons)
        found = places.found
        for version, folder in dict.fromkeys((place.version, place.folder) for place in found.values()):
            controllers = [name for name in CONTROLLERS if name in found and found[name].folder == folder]
            tree = Tree(version, folder, controllers)
            try:
                tree.open()
            except OSError as error:
                tree.close()
                reasons.update(dict.fromkeys(controllers, f"{folder}: {error.strerror}"))
            else:
                self._trees.append(tree)
        versions = {name: tree.version for tree in self._trees for name in tree.controllers}
        self.detail = describe(self._limits, versions, reasons)

    def for_zygote(self, number: int) -> Group:
        """A group, for a process that moves itself there before it does anything. Blocks."""
        group = Group(f"zygote-{number}", self._limits.zygote_mb)
        self._guarded(self._make, group)
        return group

    def take_in(self, worker_id: int, pid: int, memory_mb: int) -> Group:
        """Begin to move a worker's process into a group of its own. `memory_mb`: what its function may have,
        its own /tmp included."""
        group = Group(f"worker-{worker_id}", memory_mb + self._limits.margin_mb)
        self._begin(self._enter, group, pid)
        return group

    def let_go(self, group: Group) -> None:
        """Its process has ended: remove it as soon as all that it has started has gone, too."""
        group.leave()
        self._begin(self._remove, group)

    def tidy(self) -> None:
        """Try again to remove groups in which there still was a process: also of a server that was killed
        just now, whose workers may take a while to end."""
        leftovers = any(tree.leftovers for tree in self._trees) and time.monotonic() < self._sweep_until
        if self._lasting or leftovers:
            self._begin(self._remove)

    def close(self) -> None:
        """Remove all groups, within limits: what is left then, the next server removes. Blocks."""
        self._closed = True
        self._thread.shutdown()
        pause = threading.Event()
        for _ in range(int(_CLOSE_S / _LOOK_S)):
            self._trees = [tree for tree in self._trees if not tree.close()]
            if not self._trees:
                break
            pause.wait(_LOOK_S)

    def _enter(self, group: Group, pid: int) -> None:
        if group.left:
            return
        self._make(group)
        moved: set[int] = set()
        waiting = [pid]
        while waiting and not group.left:
            for tree, folder in group.folders:
                for each in waiting:
                    tree.enter(folder, each)
            moved.update(waiting)
            waiting = [each for each in descendants(pid) if each not in moved]  # it had begun already

    def _make(self, group: Group) -> None:
        for tree in self._trees:
            folder = tree.make(group.name, group.memory_mb * _MB, self._limits.pids)
            group.folders.append((tree, folder))

    def _remove(self, *groups: Group) -> None:
        self._lasting = [
            group
            for group in (*self._lasting, *groups)
            if not all(tree.remove(folder) for tree, folder in group.folders)
        ]
        for tree in self._trees:
            if tree.leftovers:
                tree.sweep()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        if not self._closed:
            self._thread.submit(self._guarded, work, *arguments)

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        """What goes wrong here costs a worker its group, and nothing else."""
        try:
            work(*arguments)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning("a worker or zygote has no cgroup of its own: %s", error)
