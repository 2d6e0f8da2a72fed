"""How a frame ends, as a trace function's "return" event does not say: it comes for an exception, too, and
whenever a generator or a coroutine waits."""

from __future__ import annotations

import inspect
import opcode
from types import FrameType
from typing import Any, Final

__all__ = ["goes_up", "has_returned", "suspends"]

_RETURNS: Final = frozenset(
    opcode.opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in opcode.opmap
)
_SUSPENDS: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_ENDS_OF_LOOPS: Final = (StopIteration, StopAsyncIteration)


def has_returned(frame: FrameType) -> bool:
    """At its "return" event: it is over, and has a result."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return 0 <= at < len(code) and code[at] in _RETURNS


def suspends(frame: FrameType) -> bool:
    """Whether it is a generator's or a coroutine's."""
    return bool(frame.f_code.co_flags & _SUSPENDS)


def goes_up(frame: FrameType, raised: tuple[Any, ...]) -> bool:
    """At its "exception" event: whether that may end it. What ends a loop, or an await, is no exception for a
    generator or a coroutine: these cannot raise it."""
    return not (suspends(frame) and isinstance(raised[0], type) and issubclass(raised[0], _ENDS_OF_LOOPS))
