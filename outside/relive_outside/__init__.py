"""Recording where Relive does not run: in any process, of any host. See docs/how-to/record-elsewhere.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relive_outside.recording import record

__all__ = ["record"]


def __getattr__(name: str) -> object:
    if name == "record":
        from relive_outside.recording import record

        return record
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
