"""A client of `relive dap`: a run that can be gone back in, in a process of its own, by the Debug Adapter
Protocol on its standard streams."""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from relive_base.errors import ReliveError

from relive_tui.source.tickets import Cancelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_tui.source.tickets import Ticket

__all__ = ["Adapter"]

LIMIT_S: Final = 600.0
"""Of one request: the first one runs the handler."""
_POLL_S: Final = 0.05
_HEAD_BYTES: Final = 4_096
_MOST_BYTES: Final = 16 * 1_048_576
_SAID_CHARS: Final = 65_536
_END_S: Final = 2.0
_LENGTH: Final = b"content-length:"


class Adapter:
    """`said`: what it has told beside its answers, at most 64 KiB."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it. Raises ReliveError."""
        self.said = ""
        self._sequence = 0
        self._data = bytearray()
        self._closed = False
        self._turn = threading.Lock()
        try:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise ReliveError(f"{command[0]}: {error.strerror}") from error

    def begin(self, ticket: Ticket) -> None:
        """Have it run up to the failure. Raises ReliveError, Cancelled."""
        self.ask(
            "initialize", {"adapterID": "relive", "linesStartAt1": True, "columnsStartAt1": True}, ticket
        )
        self.ask("launch", {}, ticket)
        self.ask("configurationDone", {}, ticket)

    def ask(self, command: str, arguments: dict[str, Any], ticket: Ticket) -> dict[str, Any]:
        """The body of the response. Raises ReliveError if it is refused or nobody is there; Cancelled."""
        with self._turn:  # who has been given up may still be reading
            return self._ask(command, arguments, ticket)

    def _ask(self, command: str, arguments: dict[str, Any], ticket: Ticket) -> dict[str, Any]:
        self._sequence += 1
        number = self._sequence
        request = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        data = msgspec.json.encode(request)
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._gone() from error
        while True:
            message = self._receive(ticket)
            if message.get("type") == "event" and message.get("event") == "output":
                self._hear(message.get("body"))
            elif message.get("type") == "response" and message.get("request_seq") == number:
                body = message.get("body")
                if not message.get("success"):
                    raise ReliveError(_problem(message))
                return body if isinstance(body, dict) else {}

    def take_said(self) -> str:
        """What it has told since this was asked last."""
        said, self.said = self.said, ""
        return said

    def close(self) -> None:
        """Let it end; kill it if it does not."""
        self._closed = True
        process = self._process
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()
        threading.Thread(target=_bury, args=(process,), daemon=True, name="adapter's end").start()

    # ------------------------------------------------------------ messages

    def _hear(self, body: object) -> None:
        text = body.get("output") if isinstance(body, dict) else None
        if isinstance(text, str) and len(self.said) < _SAID_CHARS:
            self.said = (self.said + text)[:_SAID_CHARS]

    def _receive(self, ticket: Ticket) -> dict[str, Any]:
        end_s = time.monotonic() + LIMIT_S
        while True:
            message = self._whole()
            if message is not None:
                return message
            self._read(ticket, end_s)

    def _whole(self) -> dict[str, Any] | None:
        """The next message, if all of it is there."""
        head, blank, rest = self._data.partition(b"\r\n\r\n")
        if not blank:
            if len(head) > _HEAD_BYTES:
                raise ReliveError("the debug adapter sent no message")
            return None
        sizes = [line.split(b":", 1)[1] for line in head.split(b"\r\n") if line.lower().startswith(_LENGTH)]
        text = sizes[0].strip() if sizes else b""
        if not text.isdigit() or int(text) > _MOST_BYTES:
            raise ReliveError("the debug adapter sent no message")
        size = int(text)
        if len(rest) < size:
            return None
        data = bytes(rest[:size])
        del self._data[: len(head) + 4 + size]
        try:
            found: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ReliveError("the debug adapter sent no message") from error
        return found

    def _read(self, ticket: Ticket, end_s: float) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(stream, selectors.EVENT_READ)
                while not selector.select(_POLL_S):
                    if ticket.cancelled or self._closed:
                        raise Cancelled
                    if time.monotonic() > end_s:
                        raise ReliveError(f"it took over {LIMIT_S:.0f} s")
            data = stream.read1(262_144)  # type: ignore[attr-defined]
        except (OSError, ValueError) as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        self._data += data

    def _gone(self) -> Exception:
        if self._closed:
            return Cancelled()
        said = " ".join(self.said.split())
        return ReliveError(f"the run has ended{': ' + said[-300:] if said else ''}")


def _problem(message: dict[str, Any]) -> str:
    body = message.get("body")
    error = body.get("error") if isinstance(body, dict) else None
    variables = error.get("variables") if isinstance(error, dict) else None
    text = variables.get("text") if isinstance(variables, dict) else None
    return str(text or message.get("message") or "it was refused")


def _bury(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
