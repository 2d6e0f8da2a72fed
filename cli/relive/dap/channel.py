"""One client's messages, in and out: a thread reads, so that an interruption is seen while something runs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from relive.dap.wire import Decoder, WireError, encode

__all__ = ["Channel"]

_WAITING: Final = 256
"""Requests; then the client waits."""
_PIECE: Final = 65_536


class Channel:
    """Of one client."""

    def __init__(self, read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
        """`read` gives b"" at the end."""
        self.problem = ""
        """Why nothing more is read; "" if the client has left."""
        self._read = read
        self._write = write
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue(_WAITING)
        self._sending = threading.Lock()
        self._number = 0
        self._open = True
        self._closed = False
        self._reader: threading.Thread | None = None

    def start(self, urgent: Callable[[dict[str, Any] | None], None]) -> None:
        """Begin to read. `urgent` is called by the reading thread with each request before that waits for its
        turn, and with None at the end."""
        self._reader = threading.Thread(target=self._read_all, args=(urgent,), name="dap", daemon=True)
        self._reader.start()

    def join(self) -> None:
        """Wait for the reading thread. Nothing more is to come: what has come is dropped."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                self._requests.get_nowait()
        if self._reader is not None:
            self._reader.join()

    def _read_all(self, urgent: Callable[[dict[str, Any] | None], None]) -> None:
        decoder = Decoder()
        try:
            while data := self._read(_PIECE):
                for message in decoder.feed(data):
                    if self._closed:
                        return
                    if message.get("type") == "request":
                        urgent(message)
                        self._requests.put(message)
            if decoder.within:
                self.problem = "the client has left in the middle of a message"
        except WireError as error:
            self.problem = str(error)
        except (OSError, ValueError) as error:
            self.problem = str(error)
        if not self._closed:
            urgent(None)
            self._requests.put(None)

    def next(self) -> dict[str, Any] | None:
        """The next request; None: there are no more."""
        return self._requests.get()

    def send(self, message: dict[str, Any]) -> None:
        """A response or an event; nothing happens if the client has left."""
        with self._sending:
            if not self._open:
                return
            self._number += 1
            try:
                self._write(encode({"seq": self._number, **message}))
            except (OSError, ValueError):
                self._open = False

    def event(self, name: str, **body: Any) -> None:
        """Tell the client."""
        self.send({"type": "event", "event": name, "body": body})
