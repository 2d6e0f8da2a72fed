"""The house style, as a test: sizes, layout traps, exports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "base",
    "store",
    "tracer",
    "capture",
    "profiler",
    "runtime",
    "outside",
    "platform",
    "views",
    "tui",
    "web",
    "agents",
    "cli",
)
MAX_MODULE_LINES = 750
P90_MODULE_LINES = 500
MEDIAN_MODULE_LINES = 200
MAX_FUNCTION_LINES = 50
LONG_FUNCTION_SHARE = 0.02
MAX_FOLDER_MODULES = 16


def modules() -> list[Path]:
    return sorted(
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "_pb2" not in path.name and path.stat().st_size
    )


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_module_is_too_long() -> None:
    too_long = {
        str(path.relative_to(ROOT)): lines(path) for path in modules() if lines(path) > MAX_MODULE_LINES
    }
    assert not too_long


def test_modules_are_small_as_a_whole() -> None:
    sizes = sorted(lines(path) for path in modules())
    assert sizes[len(sizes) // 2] <= MEDIAN_MODULE_LINES
    assert sizes[int(len(sizes) * 0.9)] <= P90_MODULE_LINES


def test_long_functions_are_rare() -> None:
    found = [
        (str(path.relative_to(ROOT)), name, size) for path in modules() for name, size in functions(path)
    ]
    long = [entry for entry in found if entry[2] > MAX_FUNCTION_LINES]
    assert len(long) <= LONG_FUNCTION_SHARE * len(found), long


def test_import_platform_is_the_standard_library() -> None:
    # `platform/__init__.py`, or an `__init__.py` under tests/, would replace the stdlib module.
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))
    import platform

    assert platform.python_version()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_says_what_it_is_and_exports(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module starts with a docstring"
    defines = any(
        isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) for node in tree.body
    )
    if defines and path.name != "__main__.py":
        names = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        ]
        assert "__all__" in names, "a module that defines something has __all__"


@pytest.mark.parametrize("room", ["capture", "cli", "tui", "views"])
def test_folders_are_small_enough_to_be_read(room: str) -> None:
    folders = {path.parent for path in modules() if path.relative_to(ROOT).parts[0] == room}
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MAX_FOLDER_MODULES} == {}
