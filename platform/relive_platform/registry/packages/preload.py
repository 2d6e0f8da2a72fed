"""Which modules a zygote imports ahead: the top-level modules of what the requirements name directly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, MetadataPathFinder
from pathlib import Path
from typing import Final

__all__ = ["canonical", "preload_modules", "requirement_name"]

_NAME: Final = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?=$|[\[<>=!~;@#(\s])")
_MAX_MODULES: Final = 64


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(line: str) -> str:
    """The distribution that a requirement line names; "" if it is an option, a path or an address."""
    match = _NAME.match(line)
    return canonical(match[1]) if match and "://" not in line.split("@")[0] else ""


def preload_modules(deps_dir: Path, requirements: Iterable[str]) -> list[str]:
    """Import names, sorted, of the distributions in `deps_dir` that `requirements` name.

    If a line names a path or an address, every distribution that no other one requires counts as named.
    """
    found = {canonical(dist.metadata["Name"]): dist for dist in _distributions(deps_dir)}
    lines = [line for line in requirements if line.strip() and not line.strip().startswith(("#", "--"))]
    names = {requirement_name(line) for line in lines}
    if "" in names or any(name and name not in found for name in names):
        required = {requirement_name(line) for dist in found.values() for line in dist.requires or ()}
        names |= found.keys() - required
    modules = {module for name in names if name in found for module in _modules(found[name])}
    return sorted(modules)[:_MAX_MODULES]


def _distributions(folder: Path) -> Iterable[Distribution]:
    # The finder remembers what a folder held; this one may just have been filled.
    MetadataPathFinder().invalidate_caches()
    return [dist for dist in Distribution.discover(path=[str(folder)]) if dist.metadata["Name"]]


def _modules(dist: Distribution) -> set[str]:
    listed = (dist.read_text("top_level.txt") or "").split()
    names = set(listed)
    if not names:
        for file in dist.files or ():
            head = file.parts[0]
            if len(file.parts) > 1 and file.suffix in (".py", ".so", ".pyd"):
                names.add(head)
            elif len(file.parts) == 1 and file.suffix in (".py", ".so"):
                names.add(head.partition(".")[0])
    return {name for name in names if name.isidentifier() and not name.startswith("_")}
