"""What a scene says of the process and of itself, as lines of the details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_tui.models.layout.format import bytes_short, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relive_views.scenes.model import SceneFacts, SceneView

__all__ = ["fact_lines"]

MAX_REDACTIONS: Final = 50


def fact_lines(scene: SceneView) -> Iterator[tuple[str, str]]:
    """(what, text) pairs, of what is known."""
    facts = scene.facts
    for problem in facts.damaged:
        yield "damaged", problem
    yield from _process(facts)
    if facts.file_bytes:
        yield "captured in", duration(facts.capture_ns)
        yield "file", f"{bytes_short(facts.file_bytes)}, {facts.file_members} members"
    yield "invocation", scene.invocation_id
    yield "fingerprint", scene.fingerprint
    if facts.redactions:
        more = len(facts.redactions) - MAX_REDACTIONS
        shown = ", ".join(facts.redactions[:MAX_REDACTIONS])
        yield "redacted", shown + (f" and {more} more places" if more > 0 else "")


def _process(facts: SceneFacts) -> Iterator[tuple[str, str]]:
    if facts.peak_rss_bytes:
        limit = f" of {bytes_short(facts.memory_limit_bytes)}" if facts.memory_limit_bytes else ""
        yield "memory", f"peak {bytes_short(facts.peak_rss_bytes)}{limit}"
    if facts.timeout_ns:
        yield "timeout", duration(facts.timeout_ns)
    if facts.cpu_ns:
        yield "CPU", duration(facts.cpu_ns)
    if facts.python:
        yield "Python", f"{facts.python} on {facts.system or '?'}"
    if facts.pid:
        yield "worker", f"process {facts.pid}, {'cold start' if facts.cold else 'warm'}"
