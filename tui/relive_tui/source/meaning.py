"""What `relive tui failure WHAT` and its like mean: an id, a part of one, or a function's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_base.errors import NotFound
from relive_tracer.explore import traces
from relive_views.naming import LAST, Finder

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["meant_failure", "meant_trace"]

ID_CHARS = 36


def meant_failure(store: Store, text: str) -> str:
    """The invocation id; `text` as it is if it is one, or if no failure is known by it.

    Raises AmbiguousScene."""
    if text == LAST or len(text) == ID_CHARS:
        return text
    try:
        return Finder(store, frozenset).failure(text).ident
    except NotFound:
        return text  # it may be an invocation that left no scene


def meant_trace(store: Store, text: str) -> str:
    """The id of the trace. Raises TraceNotFound, AmbiguousId."""
    try:
        return traces.resolve(store, text)
    except NotFound:
        if text == LAST:
            raise
        return Finder(store, frozenset).trace(text)
