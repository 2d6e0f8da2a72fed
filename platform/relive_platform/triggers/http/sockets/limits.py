"""What a websocket may take of the gateway."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SocketLimits"]


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Times in seconds, sizes in bytes."""

    per_function: int = 500  # open ones
    message_bytes: int = 16 * 1_048_576
    fragments: int = 131_072  # of one message
    early_bytes: int = 65_536  # that a client may send before the application has accepted
    idle_s: float = 3_600.0  # without a message either way; 0: for ever
    ping_s: float = 20.0  # between two pings; 0: none
    pong_s: float = 20.0  # for its answer
    close_s: float = 10.0  # for the client's answer to a close
    drain_s: float = 5.0  # within which the websockets of a replaced version are closed, one by one
    compression: bool = True
    sweep_s: float = 0.5
