"""What an adapter is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from relive_base.wire.messages import FunctionSpec

if TYPE_CHECKING:
    from relive_runtime.adapters.http.streaming import Streamer

__all__ = ["Loaded"]


def _ignore(_error: BaseException) -> None:
    """For whom no invocation is recorded."""


class Loaded(msgspec.Struct, frozen=True):
    """A handler that has been loaded, and what its adapter may use."""

    function: Callable[..., Any]
    spec: FunctionSpec
    log_stream: str
    streamer: Streamer | None = None  # None: no answer is sent part by part
    notice: Callable[[BaseException], None] = _ignore
    """Told of an exception that is answered with a 5xx status."""
    travels: bool = False  # a replay that can be gone back in
