"""Whether what a scene names as its handler is the application's own code."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from relive_runtime.adapters.outside.scripts import HANDLER as SCRIPT

__all__ = ["is_inside"]

_FILE_BYTES: Final = 4 * 1_048_576
_IMPORTS: Final = 5
"""So many files a name is followed through."""
_Defines = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_inside(source: Path, handler: str, kind: str = "event") -> bool:
    """Whether the handler's module is a file below `source`, and the function one that it defines; of other
    kinds than "call", it may have it from another file there, or made it in any way. A scene may come from
    anybody: it must not have something called that it likes ("shutil:rmtree", or "app:rmtree" of a module
    that imports it) with its event or its arguments."""
    if handler == SCRIPT:
        return kind == "call"  # it runs files below `source` only
    module, _, attribute = handler.rpartition(":" if ":" in handler else ".")
    module = module.replace("/", ".") if ".." not in module else ""
    names = [*module.split("."), *attribute.split(".")]
    if not all(name.isidentifier() for name in names):
        return False
    file = _file_of(source, module.split("."))
    if file is None:
        return False
    defined = attribute.split(".")
    return _defines(file, defined) or (kind != "call" and _has(source, file, module, defined, _IMPORTS))


def _file_of(source: Path, module: list[str]) -> Path | None:
    path = source.joinpath(*module)
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _has(source: Path, file: Path, module: str, names: list[str], left: int) -> bool:
    """Whether a name of the module is one that it has bound to anything, or imported from a file below
    `source` of which the same can be said."""
    if len(names) != 1:
        return False
    name = names[0]
    for node in reversed(_statements(_body(file))):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return not isinstance(node.value, ast.Attribute | ast.Name)
        found = _imported(node, name, module, is_package=file.name == "__init__.py")
        if found is not None:
            there = _file_of(source, found[0].split("."))
            if there is None or not left:
                return False
            return _defines(there, [found[1]]) or _has(source, there, found[0], [found[1]], left - 1)
    return False


def _imported(node: ast.stmt, name: str, module: str, *, is_package: bool) -> tuple[str, str] | None:
    """(module, name there) if the statement imports `name` from a module; None if it does not."""
    if not isinstance(node, ast.ImportFrom):
        return None
    for alias in node.names:
        if (alias.asname or alias.name) == name:
            above = module.split(".") if is_package else module.split(".")[:-1]
            base = above[: len(above) - node.level + 1] if node.level else []
            return ".".join([*base, *([node.module] if node.module else [])]), alias.name
    return None


def _body(file: Path) -> list[ast.stmt]:
    """Empty if it is no Python that can be read."""
    try:
        with file.open("rb") as opened:
            return ast.parse(opened.read(_FILE_BYTES)).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _defines(file: Path, names: list[str]) -> bool:
    """Whether the module itself defines what the names lead to: a function, a method of a class of its own,
    or what a call has made."""
    body = _body(file)
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
