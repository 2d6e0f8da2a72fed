"""The root of Relive's error tree.

Every error names what happened, where, and the hint. The docstring of a class is its default message.
"""

from __future__ import annotations

__all__ = ["ExitCode", "NotFound", "Refused", "ReliveError", "ServerUnreachable", "UsageError"]


class ExitCode:
    """What the exit status of the `relive` command means."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4


class ReliveError(Exception):
    """Relive could not do what was asked."""

    exit_code: int = ExitCode.FAILED

    def __init__(self, message: str | None = None, *, where: str = "", hint: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.where = where
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class UsageError(ReliveError):
    """The command or its configuration is wrong."""

    exit_code = ExitCode.USAGE


class NotFound(ReliveError):
    """Nothing was found under that name or id."""

    exit_code = ExitCode.FAILED


class ServerUnreachable(ReliveError):
    """The Relive server cannot be reached."""

    exit_code = ExitCode.UNREACHABLE


class Refused(ReliveError):
    """A limit or a permission does not allow this."""

    exit_code = ExitCode.REFUSED
