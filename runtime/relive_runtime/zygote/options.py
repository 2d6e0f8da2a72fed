"""What a zygote is told when it starts, and what a forked child is told."""

from __future__ import annotations

from collections.abc import Mapping

from relive_base.wire.messages import FunctionSpec

from relive_runtime.isolation.applying import Isolation
from relive_runtime.isolation.confining import Confined
from relive_runtime.isolation.family import Family
from relive_runtime.worker.failures.interpreter import Interpreter

__all__ = ["WorkerStart", "ZygoteOptions"]


# Plain classes: to make a dataclass or a named tuple takes half a millisecond, in each zygote.


class ZygoteOptions:
    """One zygote serves one dependency set."""

    def __init__(
        self,
        runtime_dir: str,
        options: Mapping[str, object],
        misfit: str,
        folders: list[str],
        confined: Confined | None,
        family: Family | None,
        no_family: str,
        no_users: str,
    ) -> None:
        """From the bootstrap's third argument; unknown keys are ignored."""
        preload = options.get("preload") or []
        self.runtime_dir = runtime_dir
        self.deps_dir = str(options.get("deps_dir") or "")
        self.preload = [str(name) for name in preload] if isinstance(preload, list) else []
        self.misfit = misfit
        """Why Relive's own packages come before the function's, which is the exception."""
        self.folders = folders
        """`deps_dir` and what its .pth files name."""
        self.confined = confined
        """What the zygote has taken from itself already."""
        self.family = family
        self.no_family = no_family
        """Why it has no spaces of its own."""
        self.no_users = no_users
        """Why it has no users for its workers."""


class WorkerStart:
    """What a child has right after the fork: its descriptors and what it is to be."""

    __slots__ = (
        "console_fd", "fault_fd", "frame_fd", "hash_seed", "interpreter", "isolation", "pid", "ring_fd",
        "runtime_dir", "spec", "started_ns", "worker_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        worker_id: int,
        spec: FunctionSpec,
        frame_fd: int,
        console_fd: int,
        started_ns: int,
        isolation: Isolation,
        interpreter: Interpreter,
        fault_fd: int = -1,
        ring_fd: int = -1,
        hash_seed: int = 0,
        runtime_dir: str = "",
        pid: int = 0,
    ) -> None:
        self.worker_id = worker_id
        self.spec = spec
        self.frame_fd = frame_fd
        self.console_fd = console_fd
        self.started_ns = started_ns  # since the epoch, first line in the child
        self.isolation = isolation
        self.interpreter = interpreter
        self.fault_fd = fault_fd  # where its fault handler writes; -1: nowhere
        self.ring_fd = ring_fd  # if there is none, frames go by the socket
        self.hash_seed = hash_seed  # of str and bytes; 0: not known
        self.runtime_dir = runtime_dir
        self.pid = pid  # as the server knows it: in a space of its own a process has another number
