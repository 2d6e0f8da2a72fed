"""The C extensions of the record side, as far as workers are to have them. One that was compiled of another
source than the one beside it, as after a pull, may take other arguments than it is given: Python's twin runs
instead, as if it had not been built."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["EXTENSIONS", "PURE_VARIABLE", "STAMP", "Extensions", "fingerprint"]

PURE_VARIABLE: Final = "RELIVE_PURE_PYTHON"
"""Set to 1 it keeps the extensions from being built, and from being used."""
EXTENSIONS: Final = (
    "relive_capture.record.heap._heapwalk",
    "relive_capture.record.values._trees",
    "relive_profiler.record._looks",
    "relive_profiler.record._ticks",
    "relive_runtime.worker._standstill",
)
STAMP: Final = b"relive-source:"
"""What stands in a compiled extension before the fingerprint of its source; hatch_build.py puts it there."""
_log = logging.getLogger(__name__)


def fingerprint(source: Path) -> bytes:
    """Of a C source and of the headers beside it; hatch_build.py has the same."""
    digest = hashlib.sha256(source.read_bytes())
    for header in sorted(source.parent.glob("*.h")):
        digest.update(header.read_bytes())
    return digest.hexdigest()[:16].encode()


class Extensions:
    """Of this installation. Found out once: who makes one reads the files."""

    def __init__(self, folders: Mapping[str, Path] | None = None, *, pure: bool | None = None) -> None:
        """`folders`: of packages, where they are not to be looked for; `pure`: whether none is wanted; None:
        as RELIVE_PURE_PYTHON says."""
        self.pure = os.environ.get(PURE_VARIABLE) == "1" if pure is None else pure
        self.built: list[str] = []
        self.stale: list[str] = []
        """Compiled of another source than the one beside it."""
        for name in EXTENSIONS:
            package, *inner, stem = name.split(".")
            folder = _folder(package, folders)
            compiled = folder.joinpath(*inner, f"{stem}{EXTENSION_SUFFIXES[0]}") if folder else None
            if compiled is None or not compiled.is_file():
                continue
            self.built.append(name)
            if _is_stale(compiled, compiled.with_name(f"{stem}.c")):
                self.stale.append(name)

    @property
    def without(self) -> list[str]:
        """Modules that workers are not to import."""
        return self.built if self.pure else self.stale

    @property
    def problem(self) -> str:
        """What is wrong with them, for people; "" if nothing is."""
        if not self.stale:
            return ""
        names = ", ".join(name.rpartition(".")[2] for name in self.stale)
        return f"compiled of another source than the one that is here now: {names}"

    def tell(self) -> None:
        """Have it in the log, if something is wrong with them."""
        if self.problem and not self.pure:
            _log.warning("Python runs in place of C extensions (make setup builds them): %s", self.problem)


def _folder(package: str, folders: Mapping[str, Path] | None) -> Path | None:
    if folders is not None:
        return folders.get(package)
    spec = find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _is_stale(compiled: Path, source: Path) -> bool:
    try:
        return STAMP + fingerprint(source) not in compiled.read_bytes()
    except FileNotFoundError:  # an installation without sources: they are of one build
        return False
