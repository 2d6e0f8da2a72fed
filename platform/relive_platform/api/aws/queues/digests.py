"""MD5 digests by which SQS's clients check what was sent and received."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

from relive_platform.resources.queue.model import MessageAttribute

__all__ = ["attributes_md5", "body_md5"]


def body_md5(body: bytes) -> str:
    """Of a message's body."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def attributes_md5(attributes: Mapping[str, MessageAttribute]) -> str | None:
    """Of its attributes by name: name, type, a byte for how the value travels, value. None without any."""
    if not attributes:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for name, value in sorted(attributes.items()):
        binary = value.type.startswith("Binary")
        for part in (name.encode(), value.type.encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        data = value.binary if binary else value.text.encode()
        digest.update((b"\x02" if binary else b"\x01") + struct.pack(">I", len(data)) + data)
    return digest.hexdigest()
