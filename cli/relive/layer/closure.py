"""The modules of Relive that some of them need, by what their files import, wherever that stands."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["modules_needed", "own_modules"]

_OURS: Final = ("relive", "relive_")


def own_modules(package: str) -> dict[str, Path]:
    """Dotted name -> file, of all of a package."""
    root = _root(package)
    found = {}
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def modules_needed(first: Iterable[str]) -> dict[str, Path]:
    """Dotted name -> file, of the modules named `first` and of all that these import."""
    packages: dict[str, dict[str, Path]] = {}
    found: dict[str, Path] = {}
    waiting = list(first)
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in found or not _is_ours(top):
            continue
        if top not in packages:
            packages[top] = own_modules(top)
        file = packages[top].get(name)
        if file is None:
            continue  # a name in a module
        found[name] = file
        parent = name.rpartition(".")[0]
        if parent:
            waiting.append(parent)
        waiting += _imported(ast.parse(file.read_text(encoding="utf-8")))
    return found


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(package)
    return Path(next(iter(spec.submodule_search_locations)))


def _is_ours(top: str) -> bool:
    return top == _OURS[0] or top.startswith(_OURS[1])


def _imported(tree: ast.AST) -> Iterator[str]:
    """What a file imports; not what is there for types alone."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)
