"""Where a worker's fault handler writes: memory without a name, which the server reads after its death."""

from __future__ import annotations

import os
import tempfile
from typing import Final

__all__ = ["FaultFile"]

_MAX_BYTES: Final = 65_536
_BEGIN: Final = b"Fatal Python error: "


class FaultFile:
    """One per worker. The worker gets a duplicate; nothing of it is to be seen in the file system."""

    def __init__(self) -> None:
        self._fd = _anonymous()

    def duplicate(self) -> int:
        """A descriptor for the worker; the caller closes it."""
        return os.dup(self._fd)

    def read(self) -> str:
        """The last fatal error in it, at most 64 KiB; "" if there was none.

        The last: a process that the user's code forked may have died of an earlier one.
        """
        try:
            size = os.fstat(self._fd).st_size
            data = os.pread(self._fd, _MAX_BYTES, max(size - _MAX_BYTES, 0)) if size else b""
        except OSError:
            return ""
        found = data.rfind(_BEGIN)
        return data[found:].decode("utf-8", "replace") if found >= 0 else ""

    def close(self) -> None:
        """Give the memory back."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _anonymous() -> int:
    try:
        return os.memfd_create("faults", os.MFD_CLOEXEC)
    except (AttributeError, OSError):  # not on Linux, or not allowed
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
