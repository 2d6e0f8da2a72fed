"""What a version's folder is made of: its source, shared code that it includes, and its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relive_runtime.worker.start.layers import LAYERS

from relive_platform.registry.packages.content import (
    Budget,
    PackageError,
    PackageLimits,
    copy_folder,
    copy_within,
    remove_tree,
    unpack_zip,
)

__all__ = ["Parts", "assemble", "is_built_layer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`source`: a folder or a zip. `code`: instead of it, the text of the module `module`. `include`: files
    and folders, relative to the source, that lie beside its files. `layers`: folders and zips, relative to
    `root`, the application's folder."""

    root: Path
    source: Path
    module: str = ""
    code: str = ""
    include: Sequence[str] = ()
    layers: Sequence[str] = ()


def assemble(parts: Parts, target: Path, limits: PackageLimits | None = None) -> None:
    """Make the new folder `target` of them. Raises PackageError."""
    budget = Budget(limits or PackageLimits(), str(parts.source))
    if parts.code:
        file = target.joinpath(*parts.module.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True)
        file.write_text(parts.code, encoding="utf-8")
    else:
        _take(parts.source, target, budget, parts.root)
    base = parts.source if parts.source.is_dir() else parts.source.parent
    for text in parts.include:
        path = base / text
        copy_within(path, _free(target, path.name, text, budget), budget, parts.root)
    if parts.layers:
        top = _free(target, LAYERS, LAYERS, budget)
        top.mkdir()
        for text in parts.layers:
            _add_layer(parts.root / text, top, budget, parts.root)


def _take(source: Path, target: Path, budget: Budget, root: Path) -> None:
    if source.is_dir():
        copy_folder(source, target, within=root, budget=budget)
    else:
        unpack_zip(source, target, budget=budget)


def _free(target: Path, name: str, text: str, budget: Budget) -> Path:
    place = target / name
    if place.exists():
        message = f"the source has a {name!r} of its own"
        raise budget.refuse(text, message, "rename one of them")
    return place


def is_built_layer(layer: Path) -> bool:
    """Whether it has `python/`, `bin/` or `lib/` as Lambda wants it. Else a folder is what SAM builds a layer
    of: what comes to lie in `python/`, and a requirements.txt."""
    return not layer.is_dir() or any((layer / name).is_dir() for name in ("python", "bin", "lib"))


def _add_layer(layer: Path, top: Path, budget: Budget, root: Path) -> None:
    """Over what the layers before it have, as they are unpacked into one folder on Lambda."""
    scratch = top.with_name(f"{LAYERS}.next")
    real = layer.resolve()
    if not real.is_relative_to(root.resolve()):
        raise budget.refuse(
            str(layer), f"it leads out of the application, to {real}", "name a folder inside it"
        )
    try:
        _take(real, scratch, budget, root)
        _merge(scratch, top if is_built_layer(scratch) else top / "python", layer)
    finally:
        remove_tree(scratch)


def _merge(source: Path, target: Path, layer: Path) -> None:
    target.mkdir(exist_ok=True)
    for entry in source.iterdir():
        place = target / entry.name
        if entry.is_dir():
            if place.is_file():
                raise PackageError(f"{entry.name} is a file in an earlier layer", where=str(layer))
            _merge(entry, place, layer)
        elif place.is_dir():
            raise PackageError(f"{entry.name} is a folder in an earlier layer", where=str(layer))
        else:
            entry.replace(place)
