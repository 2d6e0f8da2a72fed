"""What a backup says of itself: the first member of its tar file."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["FORMAT", "HOME", "MANIFEST", "STORE", "Manifest"]

FORMAT: Final = 1
MANIFEST: Final = "relive-backup.json"
HOME: Final = "home"
STORE: Final = "store"
"""Members are MANIFEST, HOME/..., and STORE/TABLE/PART/FILE."""


class Manifest(msgspec.Struct, kw_only=True):
    """`schema`: the newest migration of its tables."""

    format: int
    version: str
    schema: int
    made_ns: int
