"""What a replay finds out."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from relive_capture.recording_format import PlaybackReport

__all__ = ["OTHER", "PASSED", "PAST", "SAME", "UNRECORDED", "Difference", "ReplayOutcome", "ReplayRun"]

SAME: Final = "same"
OTHER: Final = "other"
PASSED: Final = "passed"
UNRECORDED: Final = "unrecorded"
PAST: Final = "past"


class Difference(msgspec.Struct, omit_defaults=True):
    """Where the replayed failure departs from the recorded one. `what`: "kind", "type", "message", "place",
    "cause" or the name of a local."""

    what: str
    recorded: str
    replayed: str


class ReplayRun(msgspec.Struct, kw_only=True):
    """One run. `outcome`: "same" (its fingerprint is the recorded one), "passed", "past" (it left the
    recorded failing line without that failure, and failed later), "unrecorded" (it came to a call that the
    scene has no answer to), or "other"."""

    outcome: str
    seconds: float
    error_type: str = ""
    message: str = ""
    kind: str = ""
    file: str = ""
    line: int = 0
    fingerprint: str = ""
    differences: list[Difference] = []  # the weightiest first
    locals_alike: int = 0  # of the innermost own frame
    locals_compared: int = 0
    locals_unsure: list[str] = []  # not known to their end: they do not differ as far as they are
    result: Any = None  # what the handler returned, as far as it is JSON
    calls: PlaybackReport = msgspec.field(default_factory=PlaybackReport)
    log: list[str] = []
    fresh_globals: dict[str, str] = {}  # of the function's modules, before it ran
    scene: bytes = b""  # the archive of this run's own failure


class ReplayOutcome(msgspec.Struct, kw_only=True):
    """All runs of one replay. `outcome` is the runs' own, or "mixed" if they differ."""

    invocation_id: str
    attempt: int
    function: str
    version: int
    code: str  # what was run, in words
    recorded_type: str
    recorded_message: str
    recorded_file: str
    recorded_line: int
    runs: list[ReplayRun]
    notes: list[str] = []

    @property
    def outcome(self) -> str:
        """ "same", "other", "passed", "past", "unrecorded" or "mixed"."""
        found = {run.outcome for run in self.runs}
        return found.pop() if len(found) == 1 else "mixed"

    @property
    def counts(self) -> dict[str, int]:
        """How many runs came to which outcome; "past" only if any did."""
        outcomes = [run.outcome for run in self.runs]
        names = (SAME, OTHER, PASSED, UNRECORDED, *((PAST,) if PAST in outcomes else ()))
        return {name: outcomes.count(name) for name in names}

    @property
    def seconds(self) -> float:
        """All runs together."""
        return sum(run.seconds for run in self.runs)
