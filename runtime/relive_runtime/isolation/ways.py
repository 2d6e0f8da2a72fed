"""Ways for other users than the server's to what a worker needs.

Relive's home, and root's, where an interpreter may be, are closed to others. In a mount namespace of a
zygote's own, an empty folder that all may pass lies over each closed one, and holds what is needed of it and
nothing else.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from typing import Final

from relive_runtime.isolation.family import FAMILY_TIER, Family
from relive_runtime.isolation.mounts import NO_DEVICES, NO_SUID, bind, make_folders, mount, unmount
from relive_runtime.isolation.paths import folders_of, readable_paths
from relive_runtime.isolation.users import ONLY_ROOT, Users, users_of

__all__ = ["closed_part", "open_ways", "users_for"]

_MOST_LINKS: Final = 40
_PASS: Final = stat.S_IXOTH
_PASS_AND_READ: Final = stat.S_IXOTH | stat.S_IROTH


def users_for(
    runtime_dir: str, options: Mapping[str, object], family: Family | None
) -> tuple[Users | None, str]:
    """The users for the workers of this zygote, after the ways for them have been opened; or why there are
    none. `options`: the bootstrap's."""
    if int(str(options.get("tier") or 1)) < FAMILY_TIER:
        return None, "not wanted"
    users = users_of(options.get("users"))
    if users is None:
        return None, ONLY_ROOT if os.geteuid() else "there is no number left for one"
    code, scratch = str(options.get("code_root") or ""), str(options.get("scratch_root") or "")
    if family is None or not code or not scratch:
        return (
            None,
            "the zygote has no spaces of its own" if family is None else "it is not told what to open",
        )
    deps = str(options.get("deps_dir") or "")
    own = [*_entries(runtime_dir), os.path.dirname(os.__file__), *([deps] if deps else [])]
    try:
        open_ways(
            [*readable_paths(runtime_dir, deps), *own, sys.executable, code], [scratch, *folders_of(options)]
        )
        closed = next((found for path in own if (found := closed_part(path, read=True))), "")
    except OSError as error:
        return None, str(error)
    return (None, f"others may not read {closed}") if closed else (users, "")


def _entries(runtime_dir: str) -> list[str]:
    found: list[str] = []
    for folder in (runtime_dir, os.path.join(runtime_dir, "opentelemetry")):
        found.append(folder)
        found += [entry.path for entry in os.scandir(folder) if entry.is_symlink()]
    return found


def open_ways(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Let others pass to these files and folders, in the mounts of this process, which nobody else has. What
    is not there is left out. Raises OSError, and has then changed nothing."""
    needed: dict[str, bool] = {}
    links: dict[str, str] = {}
    for paths, may_write in ((readable, False), (writable, True)):
        for path in paths:
            end, on_the_way = _follow(path)
            if os.path.exists(end):
                needed[end] = needed.get(end, False) or may_write
                links |= {link: os.readlink(link) for link in on_the_way}
    closed = {_closed_above(path) for path in [*needed, *links]} - {""}
    covered = sorted(folder for folder in closed if not any(_below(folder, other) for other in closed))
    for folder in covered:
        if folder in needed:
            raise OSError(errno.EACCES, "it is closed to others, and all of it is needed", folder)
    opened = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in sorted(needed)}
    done: list[str] = []
    try:
        for folder in covered:
            mount(b"tmpfs", os.fsencode(folder), b"tmpfs", NO_SUID | NO_DEVICES, b"size=256k,mode=755")
            done.append(folder)
            _fill(folder, opened, needed, links)
    except OSError:
        for folder in reversed(done):
            unmount(folder)
        raise
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def _fill(
    folder: str, opened: Mapping[str, int], may_write: Mapping[str, bool], links: Mapping[str, str]
) -> None:
    for path, descriptor in opened.items():
        if _below(path, folder):
            bind(descriptor, path, may_write=may_write[path])
    for link, target in links.items():
        if _below(link, folder) and not os.path.lexists(link):
            make_folders(os.path.dirname(link))
            os.symlink(target, link)


def closed_part(path: str, *, read: bool = False) -> str:
    """The first folder on the way to `path` that others may not pass; with `read`, `path` itself if they
    may not read it; "" if there is none."""
    end, links = _follow(path)
    found = next((folder for folder in map(_closed_above, [*links, end]) if folder), "")
    if found or not read:
        return found
    wanted = _PASS_AND_READ if os.path.isdir(end) else stat.S_IROTH
    return "" if os.stat(end).st_mode & wanted == wanted else end


def _closed_above(path: str) -> str:
    folder = ""
    for part in path.split("/")[1:-1]:
        folder = f"{folder}/{part}"
        if not os.stat(folder).st_mode & _PASS:
            return folder
    return ""


def _follow(path: str) -> tuple[str, list[str]]:
    """Where `path` leads to, and the symlinks on the way."""
    links: list[str] = []
    here = ""
    parts = path.split("/")
    while parts:
        part = parts.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        there = f"{here}/{part}"
        if len(links) < _MOST_LINKS and os.path.islink(there):
            links.append(there)
            target = os.readlink(there)
            here = "" if target.startswith("/") else here
            parts = [*target.split("/"), *parts]
        else:
            here = there
    return here or "/", links


def _below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
