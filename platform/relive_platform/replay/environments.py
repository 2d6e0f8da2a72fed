"""What a failure that was recorded outside of Relive is run again on: a Python and packages like its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_base.distributions import installed
from relive_base.terminal import one_line
from relive_capture.outside_format import OutsideFacts

from relive_platform.registry.packages.dependencies import Dependencies, Requirements
from relive_platform.replay.errors import ReplayError

__all__ = ["Environment", "environment_for", "unlike"]

_LOCKED: Final = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]{0,100})==(?P<version>[0-9][A-Za-z0-9.!+_]{0,60})")
_OURS: Final = frozenset({"relive", "pip", "setuptools", "wheel", "uv"})
_MOST: Final = 1_000
_ASK_S: Final = 30.0
_NAMED: Final = 5
_ASK: Final = (
    "import json, sys, sysconfig; print(json.dumps([sys.version.split()[0],"
    " sysconfig.get_path('purelib'), sysconfig.get_path('platlib')]))"
)


@dataclass(frozen=True, slots=True)
class Environment:
    """`folder`: of the packages; "" if there are none. `notes`: how it differs from the recorded one."""

    folder: str = ""
    notes: tuple[str, ...] = ()


def environment_for(facts: OutsideFacts, home: Path, python: Path | None, *, trust: bool) -> Environment:
    """The user's own (`python`); this interpreter's, if it has the very same versions; or one that is
    installed by the scene's lock, with `trust` only: a scene may name any package.

    Raises ReplayError, DependencyError.
    """
    lock = _lock(facts)
    if python is not None:
        folder = _folder_of(python)
        return Environment(folder, unlike(lock, folder))
    if not lock:
        return Environment()
    here = sysconfig.get_path("purelib")
    if not unlike(lock, here):
        return Environment(here)
    if not trust:
        raise ReplayError(
            f"it ran with {len(lock)} packages that this Python does not have in these versions, and whoever"
            " made the scene has named them",
            hint="name a Python that has them: --python PATH; or have them installed: --trust",
        )
    text = "".join(f"{name}=={version}\n" for name, version in lock)
    made = Dependencies(home / "deps").install(Requirements(text, "outside.json of the scene", Path.cwd()))
    return Environment(made.folder, unlike(lock, made.folder))


def _lock(facts: OutsideFacts) -> list[tuple[str, str]]:
    """What the scene names, as far as it can be one: it may come from anybody. Raises ReplayError."""
    found = []
    for entry in facts.installed[:_MOST]:
        match = _LOCKED.fullmatch(entry)
        if match is None:
            raise ReplayError(f"the scene names a package that can be none: {one_line(entry, 80)}")
        if match["name"] not in _OURS:
            found.append((match["name"], match["version"]))
    return found


def unlike(lock: Sequence[tuple[str, str]], folder: str) -> tuple[str, ...]:
    """How the packages in `folder` differ from the recorded ones, in sentences; none if they do not."""
    there = dict(installed([folder])) if folder else {}
    absent = [f"{name} {version}" for name, version in lock if name not in there]
    other = [
        f"{name} {version}, here {there[name]}"
        for name, version in lock
        if name in there and there[name] != version
    ]
    texts = [("other versions than where it failed", other), ("packages that are not here", absent)]
    return tuple(f"{what}: {_named(found)}" for what, found in texts if found)


def _named(found: Sequence[str]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(found[:_NAMED]) + more


def _folder_of(python: Path) -> str:
    """Of the user's own interpreter. Raises ReplayError."""
    try:
        ran = subprocess.run(
            [str(python), "-I", "-c", _ASK], capture_output=True, text=True, timeout=_ASK_S,
            stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        version, pure, platform = json.loads(ran.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ReplayError(
            f"it is no Python that answers: {type(error).__name__}", where=str(python)
        ) from None
    here = ".".join(map(str, sys.version_info[:2]))
    if version.rpartition(".")[0] != here:
        raise ReplayError(
            f"it is Python {version}, and this is {here}: compiled packages of the one do not fit the other",
            where=str(python),
            hint=f"run Relive itself with {version.rpartition('.')[0]}: uv tool run --python"
            f" {version.rpartition('.')[0]} relive replay ...",
        )
    if pure != platform:
        raise ReplayError(
            "it keeps its packages in two folders, which a worker cannot have", where=str(python)
        )
    return str(pure)
