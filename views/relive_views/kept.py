"""Failed workers that a server keeps for a debugger: it knows them without any store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["KeptView", "kept_meant", "kept_view"]

_LAST: Final = "last"
_ID_CHARS: Final = 6
"""Fewer of an id may be anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptView:
    """A failed process that is still there. `left_s`: until it is ended; `failed_at`: ns since the epoch."""

    pid: int
    left_s: float
    attached: bool = False
    invocation_id: str = ""
    function: str = ""
    version: int = 0
    error_type: str = ""
    message: str = ""
    failed_at: int = 0


class _Row(Protocol):
    """A worker of the control API."""

    @property
    def invocation_id(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def error(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def expires_s(self) -> float: ...
    @property
    def attached(self) -> bool: ...
    @property
    def failed_ns(self) -> int: ...


def kept_view(row: _Row) -> KeptView:
    """The view of a worker as the server has it."""
    return KeptView(
        pid=row.pid,
        left_s=row.expires_s,
        attached=row.attached,
        invocation_id=row.invocation_id,
        function=row.function,
        version=row.version,
        error_type=row.error,
        message=row.message,
        failed_at=row.failed_ns,
    )


def kept_meant(kept: Iterable[KeptView], text: str) -> list[KeptView]:
    """Those that `text` means, newest first: an id or its beginning, a function's name; "last" or "": all."""
    ordered = sorted(kept, key=lambda view: view.failed_at, reverse=True)
    if text in ("", _LAST):
        return ordered
    of_function = [view for view in ordered if view.function == text]
    beginning = text.lower()
    return of_function or [
        view for view in ordered if len(beginning) >= _ID_CHARS and view.invocation_id.startswith(beginning)
    ]
