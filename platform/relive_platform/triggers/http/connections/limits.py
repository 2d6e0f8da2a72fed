"""What a client may take of the gateway."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ListenerLimits"]


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """Times in seconds, sizes in bytes."""

    connections: int = 1_000
    backlog: int = 512
    head_s: float = 10.0
    body_s: float = 30.0
    keep_alive_s: float = 60.0
    head_bytes: int = 65_536
    target_bytes: int = 16_384
    headers: int = 200
    chunk_bytes: int = 16_384  # of framing between two parts of a body: sizes, extensions, trailers
    sweep_s: float = 0.25
