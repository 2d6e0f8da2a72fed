"""The connections that a gateway beside the server has, as long as it has them: the server keeps a copy of
each socket, and sees how it stands. If the gateway's process ends, the server goes on with those that rest.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
from typing import Final

from relive_platform.triggers.http.connections.marks import ANSWERS, BACK, BEGUN, GONE, RESTS, SENT, Mark

__all__ = ["HeldSockets", "Marks"]

_SLOT_BYTES: Final = 4
_NO_SLOT: Final = 0xFFFF_FFFF
_GONE: Final = bytes((GONE,))
_BACK: Final = bytes((BACK,))


class Marks:
    """The gateway's end. A slot number comes with each connection, before its bytes."""

    def __init__(self, descriptor: int) -> None:
        """Of the memory that both share; takes it over."""
        try:
            self._memory = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)

    def of(self, data: bytes) -> tuple[bytes, Mark | None]:
        """The bytes of a connection that has come, and where it is told how it stands."""
        slot = int.from_bytes(data[:_SLOT_BYTES], "big")
        return data[_SLOT_BYTES:], Mark(self._memory, slot) if slot != _NO_SLOT else None

    def lost(self, data: bytes) -> None:
        """Only the bytes of a connection have come, not its socket."""
        _, mark = self.of(data)
        if mark is not None:
            mark.tell(BACK)


class HeldSockets:
    """The server's end, for one run of the gateway's process."""

    def __init__(self, slots: int) -> None:
        """`slots`: further connections are given away without a copy. Raises OSError."""
        self.memory = os.memfd_create("relive-connections", os.MFD_CLOEXEC)
        os.ftruncate(self.memory, slots)
        self._marks = mmap.mmap(self.memory, slots)
        self._free = list(range(slots - 1, -1, -1))
        self._held: dict[int, tuple[int, bytes]] = {}

    def hold(self, descriptor: int, data: bytes) -> bytes:
        """What goes to the gateway with a socket of which `data` was read: its slot, and that."""
        slot = _NO_SLOT
        if self._free:
            with contextlib.suppress(OSError):  # there are no descriptors left
                copy = os.dup(descriptor)
                slot = self._free.pop()
                self._marks[slot] = SENT
                self._held[slot] = copy, data
        return slot.to_bytes(_SLOT_BYTES, "big") + data

    def lost(self, data: bytes) -> None:
        """What `hold` gave could not be sent."""
        slot = int.from_bytes(data[:_SLOT_BYTES], "big")
        if slot != _NO_SLOT:
            self._marks[slot] = BACK

    def release(self) -> list[tuple[int, bytes]]:
        """Now and then: forget those that the gateway has no more. Gives those that did not arrive there,
        each with what was read of it, to go on with."""
        for descriptor, _ in self._release(_GONE):
            os.close(descriptor)
        return self._release(_BACK)

    def _release(self, state: bytes) -> list[tuple[int, bytes]]:
        found = []
        at = self._marks.find(state)
        while at >= 0:
            held = self._held.pop(at, None)
            if held is not None:
                found.append(held)
                self._free.append(at)
            self._marks[at] = SENT
            at = self._marks.find(state, at + 1)
        return found

    @property
    def answering(self) -> int:
        """How many may be in the middle of an answer."""
        return self._marks[:].count(ANSWERS)

    def end(self, answer: bytes) -> tuple[list[tuple[int, bytes]], int]:
        """The gateway's process has ended: sockets to go on with, each with what was read of it. Of the
        others those whose request it had begun get the `answer`, if there is one; these are counted. All are
        closed."""
        rest = self.release()
        answered = 0
        for slot, (descriptor, data) in self._held.items():
            state = self._marks[slot]
            if state in (SENT, RESTS):
                rest.append((descriptor, data if state == SENT else b""))
                continue
            if state == BEGUN and answer:
                answered += _tell(descriptor, answer)
            else:
                _tell(descriptor, b"")
        self._held.clear()
        self._close()
        return rest, answered

    def close(self) -> None:
        """The server stops."""
        for descriptor, _ in self._held.values():
            _tell(descriptor, b"")
        self._held.clear()
        self._close()

    def _close(self) -> None:
        self._free.clear()
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1


def _tell(descriptor: int, answer: bytes) -> bool:
    """The last word on a connection, which is closed. Whether all of it was taken."""
    with socket.socket(fileno=descriptor) as sock:
        try:
            taken = sock.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) if answer else 0
            sock.shutdown(socket.SHUT_WR if answer else socket.SHUT_RDWR)
        except OSError:  # its client has gone
            return False
    return bool(answer) and taken == len(answer)
