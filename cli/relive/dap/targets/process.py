"""A debugger in a process: of a failed worker that is kept, or of a run that can be gone back in."""

from __future__ import annotations

import re
import secrets
import time
from binascii import a2b_base64, b2a_base64
from typing import Any, Final, Protocol

import msgspec
from relive_base.errors import ReliveError
from relive_base.wire.inspection import ASK, Answer, Ask, Problem

from relive.dap.targets.base import Over, Told

__all__ = ["ProcessTarget"]

_POLL_S: Final = 0.1
_COMPLETE_S: Final = 1.0
_LINE_CHARS: Final = 48_000
"""Of a question, as it is sent."""
_TEXT_CHARS: Final = 8 * 1_048_576
"""Of all that comes before a prompt; the rest is left out, and said to be."""
_PROMPT: Final = re.compile(r"\((?:Pdb|failure|step [0-9]+)\)")
_answer: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class _Call(Protocol):
    """`DebugCall` of a server, or `LocalDebugCall` of this process."""

    def next(self, timeout_s: float) -> Any: ...
    def send_line(self, text: str, *, end: bool = False) -> None: ...
    def send_complete(self, request: int, text: str) -> None: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...


class ProcessTarget:
    """See base.Target."""

    def __init__(self, call: _Call, title: str, *, reverses: bool) -> None:
        self.title = title
        self.reverses = reverses
        self._call = call
        self._asked = 0
        self._left = False
        self._over = ""

    def begin(self) -> Told:
        """What it says before its first prompt. Raises Over."""
        return self._until_prompt()

    def ask(self, asked: Ask) -> Answer:
        nonce = secrets.token_hex(8)
        line = f"{ASK}{nonce} {b2a_base64(msgspec.json.encode(asked), newline=False).decode()}"
        if len(line) > _LINE_CHARS:
            return Problem(f"an expression has at most {_LINE_CHARS // 2:,} characters here")
        text = self._said(line).text
        begin = text.find(f"{ASK}{nonce} ")
        end = text.find("\n", begin)
        if begin < 0 or end < 0:
            return Problem("the process gave no answer" + (f": {text.strip()[:500]}" if text.strip() else ""))
        try:
            return _answer.decode(a2b_base64(text[begin + len(ASK) + len(nonce) + 1 : end]))
        except (msgspec.DecodeError, ValueError):
            return Problem("the answer of the process cannot be read")

    def command(self, line: str) -> Told:
        return self._said(line.replace("\r", " ").replace("\n", " ")[:_LINE_CHARS])

    def _said(self, line: str) -> Told:
        if self._over:
            raise Over(self._over)
        self._call.send_line(line)
        return self._until_prompt()

    def _until_prompt(self) -> Told:
        parts: list[str] = []
        size = dropped = 0
        while True:
            response = self._next()
            if response is None:
                continue
            part = response.WhichOneof("part")
            if part == "ended":
                self._over = response.ended.reason or "the session has ended"
                raise Over(response.ended.reason)
            if part == "text":
                text = response.text.text
                if size > _TEXT_CHARS and not response.text.prompt:
                    dropped += len(text)
                else:
                    parts.append(text)
                    size += len(text)
                if response.text.prompt:
                    if _PROMPT.fullmatch("".join(parts).rpartition("\n")[2].strip()):
                        break
                    self._call.send_line(
                        "", end=True
                    )  # code that was evaluated asks for input: there is none
        said, _, prompt = "".join(parts).rpartition("\n")
        note = f"\n… {dropped:,} more characters are left out" if dropped else ""
        return Told(f"{said}{note}\n" if said else "", prompt.strip())

    def _next(self) -> Any:
        if self._left:
            raise Over
        try:
            return self._call.next(_POLL_S)
        except ReliveError as error:
            raise Over(error.message) from error

    def complete(self, line: str) -> tuple[int, list[str]]:
        self._asked += 1
        self._call.send_complete(self._asked, line[:2_000])
        end = time.monotonic() + _COMPLETE_S
        while time.monotonic() < end:
            response = self._next()
            if response is not None and response.WhichOneof("part") == "offer":
                if response.offer.request == self._asked:
                    return response.offer.start, list(response.offer.items)
            elif response is not None:
                break
        return len(line), []

    def interrupt(self, *, leave: bool = False) -> None:
        self._left = self._left or leave
        self._call.interrupt()

    def close(self) -> None:
        self._call.close()
