"""What a worker had kept from earlier invocations when it failed: a replay begins in a fresh one."""

from __future__ import annotations

from typing import Final

from relive_capture.recording_format import ReplayNotes

__all__ = ["warm_notes"]

_SHOWN: Final = 5
_NOTHING: Final = "(not there)"


def warm_notes(recorded: ReplayNotes | None, fresh: dict[str, str]) -> list[str]:
    """In words: how many invocations the process had served before it failed, and which globals of the
    application's modules were others than in a fresh process. Empty if it had served none."""
    if recorded is None or not recorded.served:
        return []
    served = f"{recorded.served} invocation{'s' * (recorded.served > 1)}"
    notes = [f"the worker that failed had served {served} before; a replay begins in a fresh one"]
    changed = [
        (name, text, fresh.get(name, _NOTHING))
        for name, text in recorded.globals.items()
        if fresh.get(name, _NOTHING) != text
    ]
    left = set(recorded.left)
    changed.sort(key=lambda one: one[0] not in left)  # what earlier invocations have left comes first
    notes += [
        f"{name} was {text} at the failure, {other} in a fresh worker"
        for name, text, other in changed[:_SHOWN]
    ]
    if len(changed) > _SHOWN:
        notes.append(f"{len(changed) - _SHOWN} more globals were others")
    elif not changed:
        notes.append("no global of its modules was another one, as far as they hold plain data")
    return notes
