"""The way between a debugger in a failed process and the person at the other end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from relive_base.errors import ReliveError
from relive_base.wire.messages import (
    AnyFrame,
    DebugComplete,
    DebugEnded,
    DebugLine,
    DebugOffer,
    DebugStart,
    DebugStop,
    DebugText,
    Stop,
)
from relive_base.wire.sink import FrameSink

from relive_runtime.worker.channel import Channel

__all__ = ["Completer", "DebugLink", "FrameLink"]

CHUNK_CHARS: Final = 32_768
Completer = Callable[[str], tuple[int, list[str]]]
"""The line up to the cursor -> where the replaced text begins, and what may replace it."""


class DebugLink(Protocol):
    """Text out, lines in; used by the main thread only. `completer` is set by the debugger."""

    completer: Completer | None

    def write(self, text: str) -> None:
        """Show text; never raises."""
        ...

    def read_line(self) -> str | None:
        """The next line without its end; None at the end of the input. Never raises."""
        ...


class FrameLink:
    """One session over the worker's frame socket."""

    def __init__(self, sink: FrameSink, channel: Channel, session: int) -> None:
        self.completer: Completer | None = None
        self.following: AnyFrame | None = None
        """What ended this session from outside and is still to be dealt with: Stop, the next DebugStart."""
        self._sink = sink
        self._channel = channel
        self._session = session
        self._closed = False

    def write(self, text: str) -> None:
        for start in range(0, len(text), CHUNK_CHARS):
            self._text(text[start : start + CHUNK_CHARS], prompt=False)

    def _text(self, text: str, *, prompt: bool) -> None:
        clean = text.encode("utf-8", "backslashreplace").decode()
        frame = DebugText(session=self._session, text=clean, prompt=prompt)
        # If nobody reads it waits, as a terminal would; the server reads again when the session ends.
        while not self._closed and self._sink.open and not self._sink.send_surely(frame):
            pass

    def read_line(self) -> str | None:
        if self._closed:
            return None
        self._text("", prompt=True)
        while not self._closed:
            try:
                frame = self._channel.next_command()
            except ReliveError:  # the server is gone
                self._closed = True
                return None
            if isinstance(frame, Stop | DebugStart):
                self._closed, self.following = True, frame
            elif isinstance(frame, DebugStop) and frame.session == self._session:
                self._closed = True
            elif isinstance(frame, DebugComplete) and frame.session == self._session:
                self._complete(frame)
            elif isinstance(frame, DebugLine) and frame.session == self._session:
                return None if frame.end else frame.text
        return None

    def _complete(self, asked: DebugComplete) -> None:
        start = 0
        items: list[str] = []
        try:
            if self.completer is not None:
                start, items = self.completer(asked.text)
        except Exception:  # a frame that cannot be looked at has no completions
            items = []
        offer = DebugOffer(session=self._session, request=asked.request, start=start, items=items)
        self._sink.send_surely(offer)

    def end(self, reason: str = "") -> None:
        """Tell that the session is over."""
        self._closed = True
        self._sink.send_surely(DebugEnded(session=self._session, reason=reason))
