"""Where this machine lets a process make cgroups of its own: below the one that it is in, nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relive_platform.engine.workers.descendants import descendants

__all__ = ["CONTROLLERS", "Place", "Places", "find_places"]

CONTROLLERS: Final = ("memory", "pids")
_DELEGATED: Final = ("user.delegate", "trusted.delegate")
_DELEGATE_HINT: Final = "give the server a group of its own, with systemd: Delegate=yes"


@dataclass(frozen=True, slots=True)
class Place:
    """The group that this process is in, of one controller."""

    version: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Places:
    """Where the groups of each controller can be made. `reasons`: of a controller that cannot be had, why."""

    found: dict[str, Place] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def find_places(proc: Path = Path("/proc/self"), systemd: Path = Path("/run/systemd/system")) -> Places:
    """Looks, changes nothing. `proc`: of the process that it is about; `systemd`: is there if that runs here.

    Version 2 is taken where both could be had.
    """
    places = Places()
    try:
        own = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
        mounts = list(_mounts((proc / "mountinfo").read_text()))
    except OSError:
        places.reasons.update(dict.fromkeys(CONTROLLERS, "cgroups need Linux, and /proc"))
        return places
    for controller in CONTROLLERS:
        reason = "no hierarchy of cgroups has this controller"
        for number, names, path in own:
            unified = number == "0" and not names
            if not unified and controller not in names.split(","):
                continue
            folder = _folder(path, mounts, "" if unified else controller)
            if folder is None:
                reason = "its own group is not below what is mounted of the hierarchy"
                continue
            if unified and controller not in _words(folder / "cgroup.controllers"):
                continue
            why = _refused_v2(folder, controller, systemd) if unified else _refused(folder)
            if not why:
                places.found[controller] = Place(2 if unified else 1, folder)
                if unified:
                    break
            else:
                reason = why
        if controller not in places.found:
            places.reasons[controller] = reason
    return places


def _mounts(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Of each mount of cgroups: the part of the hierarchy, where it is, its controllers (v2: none)."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        told, kind = before.split(), after.split()
        if len(told) > 4 and len(kind) > 2 and kind[0] in ("cgroup", "cgroup2"):
            yield told[3], told[4], kind[2].split(",") if kind[0] == "cgroup" else []


def _folder(path: str, mounts: list[tuple[str, str, list[str]]], controller: str) -> Path | None:
    for part, place, controllers in mounts:
        if controller not in controllers if controller else controllers:
            continue
        below = path.strip("/") if part == "/" else os.path.relpath(path, part)
        if below.split("/")[0] != ".." and (Path(place) / below).is_dir():
            return Path(place) / below
    return None


def _refused(folder: Path) -> str:
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"{folder} is mounted read-only"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"no right to make groups in {folder}"


def _refused_v2(folder: Path, controller: str, systemd: Path) -> str:
    """A group that passes controllers on may have no processes of its own: they go into one below it, which
    is for this process to do if they are its own."""
    refused = _refused(folder)
    if refused:
        return f"{refused}; {_DELEGATE_HINT}"
    if systemd.exists() and not _is_delegated(folder):
        return f"{folder} is systemd's to manage; {_DELEGATE_HINT}"
    if controller in _words(folder / "cgroup.subtree_control"):
        return ""
    if not os.access(folder / "cgroup.subtree_control", os.W_OK):
        return f"no right to pass the {controller} controller on in {folder}; {_DELEGATE_HINT}"
    family = {os.getpid(), *descendants(os.getpid())}
    others = [word for word in _words(folder / "cgroup.procs") if int(word) not in family]
    if others and (folder / "cgroup.type").exists():  # all but the hierarchy's first group
        return f"{folder} has other processes, too; {_DELEGATE_HINT}"
    return ""


def _is_delegated(folder: Path) -> bool:
    """Whether systemd has said of this group, or of one that it is in, that it is somebody else's."""
    for group in (folder, *folder.parents):
        for name in _DELEGATED:
            try:
                if os.getxattr(group, name) == b"1":
                    return True
            except OSError:
                continue
    return False


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
