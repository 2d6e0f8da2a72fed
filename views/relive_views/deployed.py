"""The code that was deployed on this machine, for source lines (without their secrets) and the editor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relive_platform.registry.model import FunctionVersion
    from relive_profiler.explore.source import SourceLines

__all__ = ["DeployedCode", "left_behind"]


class DeployedCode:
    """Reads the registry of a home, if it has one."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def lines(self, function: str, file: str) -> Sequence[str]:
        """The lines of a file of the version in service; none if it is not at hand."""
        version = self._version(function, 0)
        if version is None:
            return ()
        lines = _lines_of(version)
        return [text for _, text in lines.around(file, 1, 1_000_000)]

    def line_of(self, function: str, version: int) -> Callable[[str, int], str]:
        """Gives the text of a line of a file of this version; "" for what is not at hand."""
        found = self._version(function, version)
        return _lines_of(found).line if found is not None else _nothing

    def path(self, function: str, version: int, file: str) -> str:
        """Where a file of a frame lies; empty if it is not on this machine."""
        path = Path(file)
        if path.is_absolute():
            return file if path.is_file() else ""
        found = self._version(function, version)
        folders = [folder for folder in (found.code_dir, found.deps_dir) if folder] if found else []
        inner = file.removeprefix("site-packages/")
        for folder in folders:
            inside = Path(folder, inner).resolve()
            if inside.is_relative_to(Path(folder).resolve()) and inside.is_file():
                return str(inside)
        return ""

    def aliases(self) -> dict[str, str]:
        """Function -> `live v7, 10% v8`; only those that have any."""
        if not (self._home / "registry.db").is_file():
            return {}
        from relive_platform.registry.aliases import Aliases, in_words
        from relive_platform.registry.notes import Notes

        notes = Notes(self._home)
        try:
            found: dict[str, list[str]] = {}
            for alias in Aliases(notes).all():
                found.setdefault(alias.function, []).append(in_words(alias))
        finally:
            notes.close()
        return {function: "; ".join(texts) for function, texts in found.items()}

    def _version(self, function: str, number: int) -> FunctionVersion | None:
        if not function or not (self._home / "registry.db").is_file():
            return None
        from relive_platform.registry.storage import VersionTable

        return VersionTable(self._home).get(function, number)


def _lines_of(version: FunctionVersion) -> SourceLines:
    from relive_profiler.explore.source import SourceLines

    keys = version.spec.redact_keys
    return SourceLines(version.code_dir, version.deps_dir, redact_keys=keys)


def _nothing(file: str, line: int) -> str:
    return ""


def left_behind(root: Path) -> Callable[[str, str], bool]:
    """Says of a name and its path below `root` whether a deploy leaves it out."""
    from relive_platform.registry.packages import content

    return content.left_behind(root)
