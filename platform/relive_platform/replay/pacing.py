"""How long recorded calls took: they take as long again if the failure is one of time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from relive_capture.explore.scene import SceneFile
from relive_capture.model import every_exception

from relive_platform.replay.model import PASSED, SAME, ReplayRun

__all__ = ["about_time", "call_notes"]

_OF_TIME: Final = re.compile(
    r"time_?d?_?out|deadline|cancel|too_?slow|\A(?:queue\.)?(?:empty|full)\Z|brokenbarrier|lock",
    re.IGNORECASE,
)
_ORIGIN: Final = re.compile(r"[a-z0-9+]+://[^/?#]*", re.IGNORECASE)
_PLACES: Final = 5
_NOTED_NS: Final = 10_000_000


def about_time(scene: SceneFile) -> bool:
    """Whether a time limit struck, the function's own or the platform's: an exception says so, or one behind
    it."""
    if scene.manifest["kind"] == "timeout":
        return True
    return any(_OF_TIME.search(view.type) for view, _ in every_exception(scene.exceptions))


def _live_notes(scene: SceneFile) -> list[str]:
    """Servers answer with what they have today, and a statement that writes has written."""
    kinds = ("values", "http")
    origins = [
        _ORIGIN.match(call.url)
        for call in scene.recorded_calls
        if call.kind in kinds and call.phase != "init"
    ]
    places = list(dict.fromkeys(found[0] for found in origins if found is not None))
    if not places:
        return []
    named = ", ".join(places[:_PLACES]) + (" and others" if len(places) > _PLACES else "")
    return [f"live: calls went to {named}, as they are today; what the function wrote there is written"]


def call_notes(scene: SceneFile, runs: Sequence[ReplayRun], *, live: bool) -> list[str]:
    """Whom calls reached with `live`; and what those of the last run were not as they had been, if it came
    out otherwise."""
    notes = _live_notes(scene) if live else []
    if all(run.outcome == SAME for run in runs):
        return notes
    took_ns = sum(recorded_call.took_ns for recorded_call in scene.recorded_calls)
    if took_ns >= _NOTED_NS and not live and not about_time(scene):
        notes.append(
            f"calls were answered at once; at the failure they took {took_ns / 1e9:.2f} s together: a time "
            "limit within the function may have struck then"
        )
    missing = runs[-1].calls.missing
    if missing and runs[-1].outcome == PASSED:
        notes.append(f"it passed without an answer to {len(missing)} of its calls, which it did not mind")
    return notes
