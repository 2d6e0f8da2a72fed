"""Which folders a worker may read: the system, the interpreter, Relive's runtime, its own code. Never the
home."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

__all__ = ["DEVICES", "readable_paths"]

_SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix/store", "/proc", "/sys",
    "/dev",
)  # fmt: skip
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
"""Devices that may be written, too."""

_MAX_ENTRIES: Final = 1_000


def readable_paths(runtime_dir: str, deps_dir: str) -> list[str]:
    """Folders and files that every worker of a dependency set may read, with all that is below them.

    The home is two levels above the runtime folder. Where it lies inside one of the system's folders, that
    folder is replaced by what is in it, but for the way to the home.
    """
    home = Path(runtime_dir).resolve().parent.parent
    paths: list[str] = []
    for path in [*_SYSTEM, *_interpreter(), *_name_resolution()]:
        paths.extend(_without(Path(path), home))
    paths.append(runtime_dir)
    paths.extend(_link_targets(Path(runtime_dir)))
    if deps_dir:
        paths.append(deps_dir)
    return list(dict.fromkeys(paths))


def _interpreter() -> list[str]:
    executable = str(Path(sys.executable).resolve().parent) if sys.executable else sys.base_prefix
    return [sys.base_prefix, sys.base_exec_prefix, sys.prefix, executable]


def _name_resolution() -> list[str]:
    """Where /etc/resolv.conf and /etc/localtime really are; often under /run."""
    real = [Path(path).resolve() for path in ("/etc/resolv.conf", "/etc/localtime", "/etc/hosts")]
    return [str(path) for path in real if path.exists()]


def _link_targets(runtime: Path) -> list[str]:
    links = [*runtime.iterdir(), *(runtime / "opentelemetry").glob("*")]
    return [str(link.resolve()) for link in links if link.is_symlink()]


def _without(path: Path, excluded: Path) -> list[str]:
    """`path`, or what is in it, so that `excluded` and what is below it is not there."""
    real = path.resolve()
    if real == excluded or real.is_relative_to(excluded):
        return []
    if not excluded.is_relative_to(real):
        return [str(path)]
    found: list[str] = []
    try:
        entries = sorted(os.scandir(real), key=lambda entry: entry.name)[:_MAX_ENTRIES]
    except OSError:
        return []
    for entry in entries:
        if not entry.is_symlink():
            found.extend(_without(Path(entry.path), excluded))
    return found
