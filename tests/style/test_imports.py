"""No two of our modules import each other, imports for types alone included; and what is imported exists."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path for path in ROOT.glob("*/relive*") if (path / "__init__.py").is_file())
TREES = ("tests", "bench")


def modules() -> dict[str, Path]:
    """Dotted name -> file, of all our packages; of C extensions, too."""
    found = {}
    for package in PACKAGES:
        for file in [*package.rglob("*.py"), *package.rglob("*.pyi"), *package.rglob("*.c")]:
            parts = file.relative_to(package.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import of ours in a file, wherever it stands; "" for a module as a whole."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and not node.level and ours(node.module or ""):
            yield from ((str(node.module), alias.name) for alias in node.names)


def ours(name: str) -> bool:
    return name.partition(".")[0] in {package.name for package in PACKAGES}


def edges() -> dict[str, set[str]]:
    """Module -> modules that it imports."""
    found = {}
    for name, file in MODULES.items():
        pairs = imported(file) if file.suffix == ".py" else ()
        targets = {f"{module}.{part}" if f"{module}.{part}" in MODULES else module for module, part in pairs}
        found[name] = targets & MODULES.keys() - {name}
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules that reach each other."""
    reached = {name: reach(graph, name) for name in graph}
    together = ({other for other in reached[name] if name in reached[other]} for name in graph)
    return [set(group) for group in sorted({frozenset(group) for group in together if group}, key=sorted)]


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == [{"b", "c"}]


def test_no_modules_import_each_other() -> None:
    assert circles(edges()) == []


def test_modules_that_tests_and_benchmarks_import_exist() -> None:
    missing = [
        f"{file.relative_to(ROOT)}: {module}"
        for tree in TREES
        for file in (ROOT / tree).rglob("*.py")
        for module, _ in imported(file)
        if module not in MODULES
    ]
    assert missing == []
