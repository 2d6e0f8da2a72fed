"""What is installed in folders of packages: names and versions."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

__all__ = ["installed"]

_MOST: Final = 2_000
_FOLDER: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[0-9][^-]{0,60})\.(dist-info|egg-info)"
)


def installed(path: Sequence[str]) -> list[tuple[str, str]]:
    """(name, version) of each distribution, by the names of their folders; the first on the path counts."""
    found: dict[str, tuple[str, str]] = {}
    for folder in path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            match = _FOLDER.fullmatch(name)
            if match is not None and len(found) < _MOST:
                key = re.sub(r"[-_.]+", "-", match["name"]).lower()
                found.setdefault(key, (key, match["version"]))
    return sorted(found.values())
