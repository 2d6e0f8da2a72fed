"""A debugging session."""

from __future__ import annotations

from relive_base.wire.messages.frame import Frame

__all__ = ["DebugComplete", "DebugEnded", "DebugLine", "DebugOffer", "DebugStart", "DebugStop", "DebugText"]


class DebugStart(Frame, tag="debug_start"):
    """To a worker that has failed and answered: begin a debugger on the frames that it kept.

    Every frame of a session carries its number; those of other sessions are ignored."""

    session: int


class DebugLine(Frame, tag="debug_line"):
    """The line that a DebugText with `prompt` waits for; `end` is the end of the input (Ctrl-D)."""

    session: int
    text: str = ""
    end: bool = False


class DebugComplete(Frame, tag="debug_complete"):
    """What could come next in a line that is being typed? `text` is the line up to the cursor."""

    session: int
    request: int
    text: str


class DebugStop(Frame, tag="debug_stop"):
    """End the session: whoever debugged has left."""

    session: int


class DebugText(Frame, tag="debug_text"):
    """What the debugger, or code that was run in it, has written. `prompt`: it waits for a line now."""

    session: int
    text: str = ""
    prompt: bool = False


class DebugOffer(Frame, tag="debug_offer"):
    """The answer to a DebugComplete: what may replace the text from character `start` on."""

    session: int
    request: int
    start: int = 0
    items: list[str] = []


class DebugEnded(Frame, tag="debug_ended"):
    """The session is over; `reason` is empty if the user ended it."""

    session: int
    reason: str = ""
