"""Whether what a scene names as its handler is the application's own code."""

from __future__ import annotations

from pathlib import Path

from relive_runtime.adapters.outside.scripts import HANDLER as SCRIPT

__all__ = ["is_inside"]


def is_inside(source: Path, handler: str) -> bool:
    """Whether the handler's module is a file below `source`. A scene may come from anybody: it must not have
    something called that it likes ("shutil:rmtree") with its event."""
    if handler == SCRIPT:
        return True  # it runs files below `source` only
    module, _, attribute = handler.rpartition(":" if ":" in handler else ".")
    module = module.replace("/", ".") if ".." not in module else ""
    names = [*module.split("."), *attribute.split(".")]
    if not all(name.isidentifier() for name in names):
        return False
    path = source.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
