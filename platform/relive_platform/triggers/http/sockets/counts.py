"""What went through a websocket, and how it ended: what its span says."""

from __future__ import annotations

from dataclasses import dataclass, field

from websockets.frames import Close

__all__ = ["Counts"]

_NAMES = "relive.websocket."


@dataclass(slots=True)
class Counts:
    """Of one websocket; bytes without framing, before compression."""

    opened: bool = False
    messages: list[int] = field(default_factory=lambda: [0, 0])  # received, sent
    sizes: list[int] = field(default_factory=lambda: [0, 0])
    close_code: int = 0  # 0: it is open
    close_reason: str = ""
    closed_by: str = ""  # "client" | "server"
    unanswered: bool = False  # it was given up for a ping without an answer
    refused: str = ""  # why its accept could not be sent

    def received(self, size: int) -> None:
        """A message of the client."""
        self.messages[0] += 1
        self.sizes[0] += size

    def sent(self, size: int) -> None:
        """A message of the application."""
        self.messages[1] += 1
        self.sizes[1] += size

    def closed(self, close: Close | None, by: str) -> None:
        """The first close counts."""
        if close is not None and not self.close_code:
            self.close_code, self.close_reason, self.closed_by = int(close.code), close.reason, by

    def lost(self) -> None:
        """The connection has gone without a close."""
        if not self.close_code:
            self.close_code, self.closed_by = 1006, "client"

    def attributes(self) -> dict[str, str]:
        """Of its span."""
        found = {
            "network.protocol.name": "websocket",
            f"{_NAMES}messages_received": str(self.messages[0]),
            f"{_NAMES}messages_sent": str(self.messages[1]),
            f"{_NAMES}received_bytes": str(self.sizes[0]),
            f"{_NAMES}sent_bytes": str(self.sizes[1]),
        }
        if self.close_code:
            found[f"{_NAMES}close_code"] = str(self.close_code)
            found[f"{_NAMES}closed_by"] = self.closed_by
        if self.close_reason:
            found[f"{_NAMES}close_reason"] = self.close_reason
        if self.unanswered:
            found[f"{_NAMES}ping_unanswered"] = "true"
        return found
