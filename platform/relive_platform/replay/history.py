"""What replays of a scene came to: a few lines beside its archive, for the failure's screen and `relive
failure`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from relive_platform.replay.model import ReplayOutcome

__all__ = ["ReplayNote", "last_replay", "replay_history", "save_replay"]

_KEPT: Final = 20
_FILE_BYTES: Final = 262_144


class ReplayNote(msgspec.Struct):
    """One replay, short."""

    at_ns: int
    outcome: str  # "same", "other", "passed", "unrecorded" or "mixed"
    code: str = ""  # what was run, in words
    runs: int = 1
    counts: dict[str, int] = {}  # how many of the runs had which outcome
    seconds: float = 0.0
    error_type: str = ""
    message: str = ""
    difference: str = ""


def history_path(scenes_dir: Path, invocation_id: str, attempt: int) -> Path:
    """Where the notes of a scene lie."""
    return scenes_dir / f"{invocation_id}-{attempt}.replays.jsonl"


def save_replay(scenes_dir: Path, outcome: ReplayOutcome) -> None:
    """Add a note; the newest 20 are kept. A folder that cannot be written is no reason to fail."""
    run = outcome.runs[-1]
    first = run.differences[0] if run.differences else None
    note = ReplayNote(
        at_ns=time.time_ns(),
        outcome=outcome.outcome,
        code=outcome.code,
        runs=len(outcome.runs),
        counts=outcome.counts,
        seconds=outcome.seconds,
        error_type=run.error_type,
        message=run.message[:500],
        difference=f"{first.what}: {first.recorded} / {first.replayed}"[:500] if first is not None else "",
    )
    path = history_path(scenes_dir, outcome.invocation_id, outcome.attempt)
    notes = [*replay_history(scenes_dir, outcome.invocation_id, outcome.attempt), note][-_KEPT:]
    try:
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in notes))
        draft.replace(path)
    except OSError:
        return


def replay_history(scenes_dir: Path, invocation_id: str, attempt: int) -> list[ReplayNote]:
    """The notes, oldest first; lines that cannot be read are left out."""
    try:
        with history_path(scenes_dir, invocation_id, attempt).open("rb") as file:
            lines = file.read(_FILE_BYTES).splitlines()
    except OSError:
        return []
    notes = []
    for line in lines:
        try:
            notes.append(msgspec.json.decode(line, type=ReplayNote))
        except msgspec.DecodeError:
            continue
    return notes


def last_replay(scenes_dir: Path, invocation_id: str, attempt: int) -> ReplayNote | None:
    """The newest note."""
    notes = replay_history(scenes_dir, invocation_id, attempt)
    return notes[-1] if notes else None
