"""Heaps that can be looked at, or why there is none."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from relive_views.scenes.untrusted import number_in

from relive_tui.models.heap.ref import HeapRef
from relive_tui.models.heap.view import HeapView
from relive_tui.models.home import failure_title
from relive_tui.models.layout.format import short_id

if TYPE_CHECKING:
    from pathlib import Path

    from relive_views.failures import FailureRow
    from relive_views.records import InvocationRow
    from relive_views.scenes.archives import SceneFile

__all__ = ["baseline_ref", "heap_ref", "without_scene"]


def without_scene(row: InvocationRow, missing: str) -> HeapView:
    """Of an invocation that has no scene, and so no heap; `missing` is what was said of its scene."""
    name = f"{row.function} {short_id(row.invocation_id)}"
    if row.status == "ok":
        command = f"relive heap {shlex.quote(row.function)} --next"
        return HeapView(reason=f"{name} succeeded, and only a failure has one", next_command=command)
    if row.status == "rejected":
        return HeapView(reason=f"{name} was rejected: it did not run")
    return HeapView(reason=f"{name} has no scene: {missing}")


def heap_ref(row: FailureRow) -> HeapRef:
    """Of a failure that has a heap."""
    return HeapRef(
        row.invocation_id, row.attempt, row.captured_ns, failure_title(row.error_type, row.message)
    )


def baseline_ref(scene: SceneFile, path: Path) -> HeapRef:
    """Of the heap of a healthy invocation."""
    captured = number_in(scene.manifest, "captured_ns")
    version = number_in(scene.manifest, "version")
    return HeapRef(
        scene.invocation_id, scene.attempt, captured, f"a healthy invocation, v{version}", str(path)
    )
