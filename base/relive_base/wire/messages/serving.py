"""What a service is told of a request beside its Invoke, and what it tells beside the answer."""

from __future__ import annotations

from relive_base.wire.messages.frame import Frame

__all__ = ["Body", "BodyTaken", "Cancel", "Gone", "Left"]


class Body(Frame, tag="body"):
    """The next part of a request's body, or of what the client of an upgraded connection sends."""

    invocation_id: str
    data: bytes
    more: bool = False


class Gone(Frame, tag="gone"):
    """The client has left: nothing is read of the answer any more."""

    invocation_id: str


class Cancel(Frame, tag="cancel"):
    """End this attempt, keep where it stands, and go on with the others."""

    invocation_id: str


class BodyTaken(Frame, tag="body_taken"):
    """The application has read so many bytes of its request's body: as many more may come."""

    invocation_id: str
    size: int


class Left(Frame, tag="left"):
    """The worker was told to stop, has ended what it ran, and shut down; it leaves now."""
