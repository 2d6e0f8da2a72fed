"""Samples of one invocation, added up by stack and span."""

from __future__ import annotations

from relive_base.kept_builtins import KEPT
from relive_base.wire.messages import Profile

__builtins__ = KEPT

__all__ = ["Fold", "Key", "fill", "place_cpu"]

Key = int | tuple[int, str]
"""A stack's hash; with the id of a span, if a sample was taken inside one."""

Fold = dict[Key, list[int]]
"""Samples, wall ns, CPU ns."""


def fill(profile: Profile, fold: Fold) -> Profile:
    """The profile, with its parallel lists."""
    values = fold.values()
    profile.counts = [value[0] for value in values]
    profile.wall_ns = [value[1] for value in values]
    profile.cpu_ns = [value[2] for value in values]
    spans: dict[str, int] = {}
    for key in fold:
        if type(key) is tuple:
            spans.setdefault(key[1], len(spans) + 1)
    if spans:
        profile.spans = list(spans)
        profile.stack_spans = [spans[key[1]] if type(key) is tuple else 0 for key in fold]
    profile.stack_hashes = [key[0] if type(key) is tuple else key for key in fold]  # type: ignore[misc]
    return profile


def place_cpu(fold: Fold, cpu_ns: int) -> None:
    """Share CPU time out that no look has met: to what was seen to compute, as far as its wall time goes."""
    entries = sorted(fold.values(), key=lambda entry: -entry[2])
    for entry in entries:
        if cpu_ns <= 0:
            return
        part = min(max(entry[1] - entry[2], 0), cpu_ns)
        entry[2] += part
        cpu_ns -= part
