"""Paths as recordings and replays name them."""

from __future__ import annotations

import os

__all__ = ["plain_path"]


def plain_path(path: str, folder: str = "/") -> str:
    """Absolute, each place by one name. `folder`: where it begins if it is relative. Links are not followed.

    Python keeps two slashes at the beginning, which POSIX leaves to the system: on Linux they are one."""
    found = os.path.normpath(path if path[:1] == "/" else f"{folder}/{path}")
    return found[1:] if found[:2] == "//" else found
