"""What a client of gRPC may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WireLimits"]


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Times in seconds, sizes in bytes. `burst` and `per_s`: of frames that cost a server more than a client
    (resets of streams, pings, settings, priorities, empty parts of a body)."""

    per_function: int = 500  # open connections
    preface_s: float = 10.0  # for a client to begin
    idle_s: float = 3_600.0  # without a byte either way; 0: for ever
    unread_s: float = 60.0  # for a client to read what it was sent
    burst: int = 1_000
    per_s: float = 200.0
    header_bytes: int = 65_536  # of one call's headers
    header_frames: int = 16
    close_s: float = 5.0  # for what a worker still has to say to a client that has gone
    sweep_s: float = 0.5
