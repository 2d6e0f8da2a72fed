"""Whose code a process of a service has crashed in, by the frames that were read of it."""

from __future__ import annotations

import json
from typing import Any

from relive_platform.engine.supervisor.told import crashed_in


def _thread(name: str, invocation: str = "") -> dict[str, Any]:
    local = {"name": "relive_invocation", "repr": f"'{invocation}'"}
    return {"thread_name": name, "frames": [{"locals": [local] if invocation else None}]}


def test_the_thread_that_failed_says_it_wherever_it_stands_in_the_list() -> None:
    """Given threads in any order, of which the reader has named the one that failed, I expect that one's
    invocation; the first one's if none is named, and nobody's of what cannot be read."""
    threads = [_thread("asyncio_0"), _thread("asyncio_1", "beside"), _thread("MainThread", "crashed")]
    for order in (threads, threads[::-1]):
        assert crashed_in({"native/pyspy.json": json.dumps(order).encode()}) == "crashed"
    assert crashed_in({"native/pyspy.json": json.dumps(threads[1::-1]).encode()}) == "beside"
    for nothing in ({}, {"native/pyspy.json": b"[]"}, {"native/pyspy.json": b"{"}):
        assert crashed_in(nothing) == ""
