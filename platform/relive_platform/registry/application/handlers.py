"""Whether a handler can be there, without running anything. A deploy's trial load has the last word."""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Final

from relive_platform.registry.application.errors import Problem

__all__ = ["check_code", "check_handler", "normalise_handler"]

_PART: Final = r"[^\s./:\\]+"  # of a module's name: whatever a file can be called, as on Lambda
_NAME: Final = r"[^\W\d]\w*"
_COLON: Final = re.compile(rf"((?:{_PART}\.)*{_PART}):({_NAME}(?:\.{_NAME})*)")
_LAMBDA: Final = re.compile(rf"((?:{_PART}[./])*{_PART})\.({_NAME})")
_ENDINGS: Final = (".py", ".pyc", *EXTENSION_SUFFIXES)
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAX_SOURCE_BYTES: Final = 16 * 1024 * 1024
_LITERALS: Final = (ast.Constant, ast.List, ast.Dict, ast.Set, ast.Tuple, ast.JoinedStr, ast.ListComp)


def normalise_handler(text: str) -> str | None:
    """`module:attribute` for that form and for Lambda's `dir/module.attribute`; None if it is neither."""
    if not text.isprintable():
        return None
    if match := _COLON.fullmatch(text):
        return f"{match[1]}:{match[2]}"
    if match := _LAMBDA.fullmatch(text):
        return f"{match[1].replace('/', '.')}:{match[2]}"
    return None


@dataclass(slots=True)
class _Names:
    """The names a module's body binds -> line; `open` if it can bind more than can be seen."""

    bound: dict[str, int]
    literal: dict[str, int]
    open: bool = False

    def bind(self, name: str, line: int) -> None:
        self.bound[name] = line
        self.literal.pop(name, None)


def _module_file(source: Path, module: str) -> Path | None:
    """The file that Python would import: source, else compiled, else an extension."""
    base = source.joinpath(*module.split("."))
    for ending in _ENDINGS:
        for candidate in (base / f"__init__{ending}", base.with_name(f"{base.name}{ending}")):
            if candidate.is_file():
                return candidate
    return None


def _check_compiled(path: Path, file: str, line: int) -> Problem | None:
    """Code without source can only be looked at by running it, which the trial does."""
    if path.suffix == ".pyc":
        with path.open("rb") as reader:
            if reader.read(4) != MAGIC_NUMBER:
                message = f"{path} was not compiled by Python {sys.version_info[0]}.{sys.version_info[1]}"
                return Problem(file, line, message, "compile it with the Python that Relive runs on")
    return None


def _statements(body: Sequence[ast.AST], *, nested: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every statement that runs at import, and whether it stands in an if, try, with, loop or match."""
    for node in body:
        yield node, nested
        if not isinstance(node, _DEFINITIONS):
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from _statements(getattr(node, name, ()), nested=True)


def _collect(tree: ast.Module) -> _Names:
    names = _Names({}, {})
    for node, nested in _statements(tree.body):
        if isinstance(node, _DEFINITIONS):
            names.open |= node.name == "__getattr__"
            names.bind(node.name, node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            _imported(node, names)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            _assigned(node, not nested and isinstance(node.value, _LITERALS), names)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            names.open |= "globals" in ast.dump(node.value)
    return names


def _imported(node: ast.Import | ast.ImportFrom, names: _Names) -> None:
    for alias in node.names:
        names.open |= alias.name == "*"
        names.bind(alias.asname or alias.name.partition(".")[0], node.lineno)


def _assigned(node: ast.Assign | ast.AnnAssign, literal: bool, names: _Names) -> None:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        for inner in ast.walk(target):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                names.bind(inner.id, inner.lineno)
        names.open |= "globals" in ast.dump(target)
        if literal and isinstance(target, ast.Name):
            names.literal[target.id] = target.lineno


def check_handler(source: Path, handler: str, *, file: str, line: int) -> Problem | None:
    """What is wrong with a normalised handler in `source`, or None. `file`, `line`: if it is named."""
    if not source.is_dir():  # a zip, which is not unpacked yet
        return None
    module, _, attribute = handler.partition(":")
    path = _module_file(source, module)
    if path is None:
        found = sorted({entry.name.split(".")[0] for entry in source.glob("*.*") if _is_module(entry)})
        close = difflib.get_close_matches(module, found, n=1)
        hint = f"did you mean {close[0]}:{attribute}?" if close else f"create {module.replace('.', '/')}.py"
        return Problem(file, line, f"the handler's module {module!r} is not in {source}", hint)
    if path.suffix != ".py":
        return _check_compiled(path, file, line)
    if path.stat().st_size > _MAX_SOURCE_BYTES:
        return None
    return _check_text(path.read_bytes(), str(path), attribute, file, line)


def check_code(code: str, handler: str, *, file: str, line: int) -> Problem | None:
    """What is wrong with a normalised handler whose module is the text `code`, or None."""
    module, _, attribute = handler.partition(":")
    return _check_text(code.encode(), f"{module.replace('.', '/')}.py", attribute, file, line)


def _check_text(code: bytes, shown: str, attribute: str, file: str, line: int) -> Problem | None:
    try:
        tree = ast.parse(code, filename=shown)
    except (SyntaxError, ValueError, RecursionError) as error:
        at = getattr(error, "lineno", 0) or 0
        return Problem(shown, at, f"the handler's module is not valid Python: {error}", "correct the line")
    return _judge(shown, attribute, _collect(tree), file, line)


def _is_module(path: Path) -> bool:
    return path.name.endswith(_ENDINGS)


def _judge(path: str, attribute: str, names: _Names, file: str, line: int) -> Problem | None:
    head = attribute.partition(".")[0]
    if head in names.literal:
        message = f"the handler {head!r} is not callable: it is assigned a plain value"
        return Problem(path, names.literal[head], message, f"make {head} a function")
    if head in names.bound or names.open:
        return None
    close = difflib.get_close_matches(head, list(names.bound), n=3)
    public = [name for name in names.bound if not name.startswith("_")][:8]
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    else:
        hint = f"it defines {', '.join(public)}" if public else f"define {head} in it"
    return Problem(file, line, f"{path} has no {head!r}", hint)
