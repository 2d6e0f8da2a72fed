"""What all messages are."""

from __future__ import annotations

import msgspec

__all__ = ["Frame"]


class Frame(msgspec.Struct, tag_field="t", array_like=True, kw_only=True):
    """Frames are msgpack arrays, the tag first: half the work of maps. A new field goes last and has a
    default: what the other end has too many is ignored, so that both may differ by a version."""
