"""What must hold in a heap snapshot before it is used: every index leads somewhere, names are of bounded
length.

Labels are not among it: whoever reads one takes an index that leads nowhere as "not known".
"""

from __future__ import annotations

from itertools import pairwise
from operator import lt

from relive_capture.explore.errors import SceneError
from relive_capture.explore.snapshots.snapshot import HeapLimits, HeapSnapshot

__all__ = ["check_snapshot"]


def check_snapshot(snapshot: HeapSnapshot, where: str, limits: HeapLimits) -> None:
    """Raises SceneError that names the first thing that is wrong."""
    reason = _counts(snapshot, limits) or _columns(snapshot) or _names(snapshot, limits) or _roots(snapshot)
    if reason:
        raise SceneError(
            f"the heap cannot be used: {reason}",
            where=where,
            hint="the file is damaged or not a scene; get it again with `relive scene ID --output FILE`",
        )


def _counts(snapshot: HeapSnapshot, limits: HeapLimits) -> str:
    for what, count, limit in (
        ("types", len(snapshot.types), limits.types),
        ("strings", len(snapshot.strings), limits.strings),
        ("roots", len(snapshot.roots), limits.roots),
        ("targets of roots", sum(len(root.targets) for root in snapshot.roots), limits.targets),
    ):
        if count > limit:
            return f"{count} {what} are over the limit of {limit}"
    return ""


def _columns(snapshot: HeapSnapshot) -> str:
    first = snapshot.first_edge
    if any(right < left for left, right in pairwise(first)) or first[0] or first[-1] != snapshot.edges:
        return "first_edge does not rise from 0 to the number of edges"
    if not all(map(lt, snapshot.address, snapshot.address[1:])):
        return "address does not ascend"
    for name, column, bound in (
        ("edge", snapshot.edge, snapshot.objects),
        ("type", snapshot.type, len(snapshot.types)),
        ("value", snapshot.value, len(snapshot.strings) + 1),
    ):
        if len(column) and max(column) >= bound:
            return f"{name} leads beyond {bound}"
    if sum(snapshot.size) >= 1 << 63:
        return "the sizes are too large"
    return ""


def _names(snapshot: HeapSnapshot, limits: HeapLimits) -> str:
    limit = limits.name_chars
    for kind in snapshot.types:
        if len(kind.module) + len(kind.name) > limit:
            return f"a type has a name of over {limit} characters"
    for root in snapshot.roots:
        if len(root.name) + len(root.file) + len(root.function) + len(root.kind) > limit:
            return f"a root has a name of over {limit} characters"
    return ""


def _roots(snapshot: HeapSnapshot) -> str:
    objects = snapshot.objects
    for root in snapshot.roots:
        for label, target in root.targets:
            if not 0 <= target < objects:
                return f"root {root.name[:80]!r} leads to object {target} of {objects}"
            if not 0 <= label < 1 << 32:
                return f"root {root.name[:80]!r} has a label out of range"
    return ""
