"""Folders and files as the kernel shows them for cgroups of version 2; nothing in them is enforced."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["make_group", "process_folder", "remove_group"]

_FILES = (
    "cgroup.procs",
    "cgroup.subtree_control",
    "memory.max",
    "memory.swap.max",
    "memory.events",
    "pids.max",
)


def make_group(folder: Path, controllers: str = "cpu memory pids") -> None:
    """A new group, as `mkdir` makes one."""
    folder.mkdir()
    (folder / "cgroup.controllers").write_text(f"{controllers}\n")
    (folder / "cgroup.type").write_text("domain\n")
    for name in _FILES:
        (folder / name).touch()


def remove_group(folder: Path) -> None:
    """As `rmdir` does: not while there is a process or a group in it."""
    if not folder.exists():
        raise FileNotFoundError(folder)
    below = [entry for entry in folder.iterdir() if entry.is_dir()]
    if below or (folder / "cgroup.procs").read_text().strip():
        raise OSError(16, "Device or resource busy")
    shutil.rmtree(folder)


def process_folder(folder: Path, groups: str, mounts: str) -> Path:
    """What /proc has of a process in these groups."""
    folder.mkdir()
    (folder / "cgroup").write_text(groups)
    (folder / "mountinfo").write_text(mounts)
    return folder
