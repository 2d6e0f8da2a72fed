"""What a zygote is told when it starts, and what a forked child is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from relive_base.frames import FunctionSpec

from relive_platform.isolation.applying import Isolation
from relive_platform.isolation.confining import Confined
from relive_platform.isolation.family import Family

__all__ = ["WorkerStart", "ZygoteOptions"]


# Tuples: to make a dataclass takes three times as long, and each zygote makes them.


class ZygoteOptions(NamedTuple):
    """One zygote serves one dependency set."""

    runtime_dir: str
    deps_dir: str
    preload: list[str]
    misfit: str
    """Why Relive's own packages come before the function's, which is the exception."""
    folders: list[str]
    """`deps_dir` and what its .pth files name."""
    family: Family | None = None
    no_family: str = ""
    """Why it has no spaces of its own."""

    confined: Confined | None = None
    """What the zygote has taken from itself already."""

    @classmethod
    def from_json(
        cls,
        runtime_dir: str,
        options: Mapping[str, object],
        misfit: str,
        folders: list[str],
        confined: Confined | None,
        family: Family | None,
        no_family: str,
    ) -> ZygoteOptions:
        """From the bootstrap's third argument; unknown keys are ignored."""
        preload = options.get("preload") or []
        names = [str(name) for name in preload] if isinstance(preload, list) else []
        deps_dir = str(options.get("deps_dir") or "")
        return cls(runtime_dir, deps_dir, names, misfit, folders, family, no_family, confined)


class WorkerStart(NamedTuple):
    """What a child has right after the fork: its descriptors and what it is to be."""

    worker_id: int
    spec: FunctionSpec
    frame_fd: int
    console_fd: int
    started_ns: int  # since the epoch, first line in the child
    isolation: Isolation
    fault_fd: int = -1  # where its fault handler writes; -1: nowhere
    ring_fd: int = -1  # where there is none, frames go by the socket
    hash_seed: int = 0  # of str and bytes; 0: not known
    runtime_dir: str = ""
    pid: int = 0  # as the server knows it: in a space of its own a process has another number
