"""What `relive.toml` says of a function that is a program of its own (kind "custom"), checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from relive_platform.registry.application.lines import KeyPath
from relive_platform.registry.application.services import service_problems

__all__ = ["CUSTOM", "custom_handler", "custom_problems", "has_bootstrap", "kind_of", "other_problems"]

CUSTOM: Final = "custom"
_BOOTSTRAP: Final = "bootstrap"
_OWN_KEYS: Final = ("runtime", "command", "init_timeout_s")
_NODE_ENDINGS: Final = (".mjs", ".js", ".cjs")
_MAX_ARGUMENTS: Final = 100
_MAX_CHARS: Final = 4_096

_Problems = Iterator[tuple[KeyPath, str, str]]  # key below the function's table, message, hint


def has_bootstrap(source: Path | None) -> bool:
    """Whether the folder has an executable `bootstrap`, as AWS Lambda's OS-only runtimes want it."""
    file = source / _BOOTSTRAP if source is not None else None
    return file is not None and file.is_file() and os.access(file, os.X_OK)


def kind_of(table: Mapping[str, Any], source: Path | None) -> str:
    """The function's kind; a folder that names no handler and has an executable bootstrap is custom."""
    if "kind" in table:
        return str(table["kind"])
    if any(key in table for key in _OWN_KEYS):
        return CUSTOM
    return CUSTOM if "handler" not in table and has_bootstrap(source) else "event"


def custom_handler(table: Mapping[str, Any]) -> str:
    """What the program finds in `_HANDLER`."""
    return str(table.get("handler") or _BOOTSTRAP)


def custom_problems(table: Mapping[str, Any], source: Path | None) -> _Problems:
    """What does not fit together; types and ranges have been checked."""
    handler, runtime = table.get("handler", ""), table.get("runtime", "")
    source = source if source is not None and source.is_dir() else None  # a zip is not unpacked yet
    for key in ("app", "code"):
        if key in table:
            yield (key,), f"{key} is for functions in Python", f"leave {key} out"
    command = table.get("command", [])
    if not handler.isprintable() or len(handler) > _MAX_CHARS:
        yield ("handler",), "the handler has characters that no name has", "write as in index.handler"
    if len(command) > _MAX_ARGUMENTS or any("\0" in word or len(word) > _MAX_CHARS for word in command):
        message = f"command has over {_MAX_ARGUMENTS} words, or one of over {_MAX_CHARS} characters"
        yield ("command",), message, "put what it does into a script"
    if command and not command[0]:
        yield ("command",), "command names no program", 'write as in command = ["./bootstrap"]'
    if runtime == "nodejs":
        yield from _node_problems(handler, command, source)
    elif "command" in table and not command:
        yield ("command",), "command is empty", 'write as in command = ["./bootstrap"]'
    elif source is not None and not command and not has_bootstrap(source):
        there = (source / _BOOTSTRAP).is_file()
        message = f"{source} has no executable file {_BOOTSTRAP}, and there is no command"
        yield (), message, f"chmod +x {_BOOTSTRAP}" if there else 'add it, or write command = ["./program"]'


def _node_problems(handler: str, command: list[str], source: Path | None) -> _Problems:
    module, dot, name = handler.rpartition(".")
    if command:
        yield ("command",), 'runtime = "nodejs" runs Relive\'s own bootstrap, not a command', "leave one out"
    if not (dot and module and name) or ".." in module.split("/"):
        yield ("handler",), f"the handler {handler!r} is not module.function", "write as in index.handler"
    elif source is not None:
        base = source / module
        if not any(base.with_name(f"{base.name}{ending}").is_file() for ending in _NODE_ENDINGS):
            names = ", ".join(f"{module}{ending}" for ending in _NODE_ENDINGS)
            yield ("handler",), f"the handler's module is not in {source}: {names}", "correct the handler"


def other_problems(table: Mapping[str, Any]) -> _Problems:
    """Of functions in Python: keys that say nothing of them, and what names their code."""
    for key in _OWN_KEYS:
        if key in table:
            yield (key,), f'{key} is for kind = "custom"', f'leave it out, or write kind = "{CUSTOM}"'
    yield from service_problems(table)
