"""What a home keeps while its server goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["kept_files"]


def kept_files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file below it. What goes meanwhile, such as a batch that has reached the store, is left out."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            try:
                data = path.read_bytes() if path.is_file() else None
            except FileNotFoundError:
                continue
            if data is not None:
                yield path, data
