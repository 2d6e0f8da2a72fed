"""Whether what a scene names as its handler is the application's own code."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from relive_runtime.adapters.outside.scripts import HANDLER as SCRIPT

__all__ = ["is_inside"]

_FILE_BYTES: Final = 4 * 1_048_576
_Defines = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_inside(source: Path, handler: str, kind: str = "event") -> bool:
    """Whether the handler's module is a file below `source`, and of kind "call" the function one that it
    defines. A scene may come from anybody: it must not have something called that it likes ("shutil:rmtree",
    or "app:os.system" of a module that imports os) with its event or its arguments."""
    if handler == SCRIPT:
        return kind == "call"  # it runs files below `source` only
    module, _, attribute = handler.rpartition(":" if ":" in handler else ".")
    module = module.replace("/", ".") if ".." not in module else ""
    names = [*module.split("."), *attribute.split(".")]
    if not all(name.isidentifier() for name in names):
        return False
    path = source.joinpath(*module.split("."))
    files = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
    if not files:
        return False
    return kind != "call" or _defines(files[0], attribute.split("."))


def _defines(file: Path, names: list[str]) -> bool:
    """Whether the module itself defines what the names lead to: a function, a method of a class of its own,
    or what a call has made."""
    try:
        with file.open("rb") as opened:
            body: list[ast.stmt] = ast.parse(opened.read(_FILE_BYTES)).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for number, name in enumerate(names):
        found = [node for node in _statements(body) if isinstance(node, _Defines) and node.name == name]
        last = number == len(names) - 1
        if last:
            return bool(found) or any(_made(node, name) for node in _statements(body))
        if not found or not isinstance(found[-1], ast.ClassDef):
            return False
        body = found[-1].body
    return False


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """With those below `if` and `try`."""
    found: list[ast.stmt] = []
    for node in body:
        found.append(node)
        if isinstance(node, ast.If | ast.Try):
            handlers = node.handlers if isinstance(node, ast.Try) else []
            found += _statements([*node.body, *node.orelse])
            found += _statements([inner for handler in handlers for inner in handler.body])
    return found


def _made(node: ast.stmt, name: str) -> bool:
    """`name = decorate(function)`; another name of something imported is none."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call | ast.Lambda):
        return False
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
