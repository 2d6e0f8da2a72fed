"""What a replay says of files and variables that were not as they are on this machine today."""

from __future__ import annotations

from typing import Final

from relive_platform.replay.model import SAME, ReplayRun

__all__ = ["file_notes"]

_SHOWN: Final = 5
_READ: Final = {
    "gone": "read from the recording, they are gone today",
    "changed": "read from the recording, they are others today",
    "appeared": "not there, as recorded, though they are today",
}
_DIFFERING: Final = {
    "unlike": "read as they are today, and not as they were: their content is not in the scene",
    "lost": "not in the scene, and gone today",
    "today": "read as they are today: nothing of them is in the scene",
}


def file_notes(run: ReplayRun) -> list[str]:
    """Of a run that came out the same, only what was not as it is today."""
    told = _READ | {name: _DIFFERING[name] for name in ("unlike", "lost")}
    if run.outcome != SAME:
        told = told | _DIFFERING
    notes = []
    for how, text in told.items():
        paths = [path for path, found in run.calls.files.items() if found == how]
        if paths:
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            notes.append(f"{', '.join(paths[:_SHOWN])}{more}: {text}")
    if run.calls.variables:
        notes.append(
            f"variables that are not there, their values were redacted: {', '.join(run.calls.variables)}"
        )
    return notes
