"""Which files a function may be made of: those of its application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

__all__ = ["absolute", "place_problems", "reach"]

_MAX_LISTED: Final = 50
_Problems = Iterator[tuple[tuple[str, ...], str, str]]  # key below the function's table, message, hint


def absolute(path: Path) -> Path:
    """Links stay as they are named, but for those before a `..`: where that leads to, they say."""
    found = path.absolute()
    up = max((at for at, part in enumerate(found.parts, 1) if part == ".."), default=0)
    return Path(*found.parts[:up]).resolve().joinpath(*found.parts[up:]) if up else found


def reach(folder: Path, text: str) -> tuple[Path, str]:
    """Where a path in a file leads to, links followed, and why nothing can be there: it is too long, say, or
    links lead around in a circle; "" if something can."""
    try:
        found = (folder / text).resolve()
        found.stat()
    except (FileNotFoundError, NotADirectoryError):
        return found, ""
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return folder, f"it cannot be looked for: {reason}"[:200]
    return found, ""


def place_problems(table: Mapping[str, Any], source: Path | None, root: Path) -> _Problems:
    """What is wrong with `code`, `include` and `layers`; types have been checked. `source`: None if it is
    wrong itself."""
    if "code" in table and "source" in table:
        yield ("code",), "it has a source, too", "leave one of them out"
    for key in ("include", "layers"):
        if len(table.get(key, ())) > _MAX_LISTED:
            yield (key,), f"{key} names {len(table[key])} places", f"name at most {_MAX_LISTED}"
            return
    root = root.resolve()
    if source is not None:
        own = source if source.is_dir() else source.parent
        yield from _include_problems(table, own, root, alone="code" in table or source.is_file())
    for text in table.get("layers", ()):
        found, reason = reach(root, text)
        if reason:
            yield ("layers",), f"the layer {text[:200]!r}: {reason}", "correct the path"
        elif Path(text).is_absolute() or not found.is_relative_to(root) or found == root:
            yield ("layers",), f"the layer {text!r} is outside the application", "name a folder inside it"
        elif not found.is_dir() and not (found.suffix == ".zip" and found.is_file()):
            yield ("layers",), f"there is no folder or zip {text!r}", "correct the path"


def _include_problems(table: Mapping[str, Any], base: Path, root: Path, *, alone: bool) -> _Problems:
    """`alone`: what else lies in the folder `base` does not come along."""
    names: set[str] = set()
    for text in table.get("include", ()):
        path = base / text
        found, reason = reach(base, text)
        if reason:
            yield ("include",), f"{text[:200]!r}: {reason}", "correct the path"
            continue
        if Path(text).is_absolute() or not found.is_relative_to(root):
            yield ("include",), f"{text!r} is outside the application", "name what is inside it"
        elif not found.exists():
            yield ("include",), f"there is no file or folder {text!r}", f"it is looked for in {base}"
        elif (
            path.name in ("", ".", "..")
            or base.is_relative_to(found)
            or (found.is_relative_to(base) and not alone)
        ):
            yield ("include",), f"{text!r} lies in the source, or around it", "name a folder beside it"
        elif path.name in names or ((base / path.name).exists() and not alone):
            message = f"{text!r} would take the place of another {path.name!r}"
            yield ("include",), message, "rename one of them"
        names.add(path.name)
