"""Threads of AnyIO's pool, run where they are asked for: in a run that is gone back in, whose steps are those
of the main thread."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from relive_base.wire.messages import FunctionSpec
from relive_capture.recording_format import ReplayInput

__all__ = ["goes_back", "threads_inline"]


def goes_back(spec: FunctionSpec) -> bool:
    """Whether this worker's run is gone back in."""
    if not spec.replay:
        return False
    try:
        return msgspec.msgpack.decode(spec.replay, type=ReplayInput).travel
    except msgspec.DecodeError:
        return False


@contextmanager
def threads_inline() -> Iterator[None]:
    """In this block `anyio.to_thread.run_sync`, by which Starlette calls plain functions, does so itself."""
    module: Any = sys.modules.get("anyio.to_thread")
    if module is None:
        yield
        return
    before = module.run_sync

    async def run_sync(function: Callable[..., Any], *arguments: Any, **_options: Any) -> Any:
        return function(*arguments)

    module.run_sync = run_sync
    try:
        yield
    finally:
        module.run_sync = before
