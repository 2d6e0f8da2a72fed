"""Frames of a client to whole messages."""

from __future__ import annotations

from typing import Final

from websockets.frames import CONT, TEXT, Frame

from relive_platform.triggers.http.bodies import BodiesFull, BodyBudget

__all__ = ["Assembler", "BadMessage"]

_COUNTED_BYTES: Final = 65_536
"""From here on what has come of a message counts among the large bodies."""
_INVALID: Final = 1007
_POLICY: Final = 1008
_TRY_AGAIN: Final = 1013


class BadMessage(Exception):
    """A message that ends its websocket: close code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Assembler:
    """Of one websocket. What comes in one frame, as nearly all, is passed on as it is."""

    def __init__(self, fragments: int, budget: BodyBudget) -> None:
        self._limit = fragments
        self._budget = budget
        self._parts = bytearray()
        self._text = False
        self._fragments = 0
        self._counted = False

    def take(self, frame: Frame) -> tuple[bytes, bool] | None:
        """The message that a data frame completes, and whether it is text; None: more is to come. Raises
        BadMessage."""
        if frame.opcode is not CONT:
            self._text = frame.opcode is TEXT
            if frame.fin:
                return _checked(bytes(frame.data), self._text)
            self._fragments = 0
        self._add(frame)
        if not frame.fin:
            return None
        whole = bytes(self._parts)
        self.close()
        return _checked(whole, self._text)

    def _add(self, frame: Frame) -> None:
        self._fragments += 1
        if self._fragments > self._limit:
            raise BadMessage(_POLICY, f"a message has more than {self._limit} fragments")
        self._parts += frame.data

    def hold(self, unread: int) -> None:
        """So much has come of a frame that is not whole: with what is kept of its message, it counts among
        the large bodies. Raises BadMessage."""
        held = len(self._parts) + unread
        if not self._counted and held <= _COUNTED_BYTES:
            return
        self._budget.give_back(self)
        self._counted = held > _COUNTED_BYTES
        if self._counted:
            try:
                self._budget.take(self, held)
            except BodiesFull as error:
                self._counted = False
                raise BadMessage(_TRY_AGAIN, f"large messages hold {error} bytes already") from None

    def close(self) -> None:
        """What has come of a message counts no more."""
        self._budget.give_back(self)
        self._counted = False
        self._parts = bytearray()


def _checked(data: bytes, text: bool) -> tuple[bytes, bool]:
    if text:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise BadMessage(_INVALID, f"{error.reason} at position {error.start}") from None
    return data, text
