"""Whether a replay that failed otherwise has got past the line at which the recorded failure was.

One more run of the same code watches the recorded failure's frames. In which call of its function, and at
which pass of a loop, it had failed is known from a run of the version that failed, if there is one here;
without it only a line counts that could run just once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import ReliveError
from relive_capture.explore.scene import SceneFile
from relive_capture.recording_format import Watched, WatchedPlace
from relive_runtime.adapters.table import has_python

from relive_platform.replay.model import OTHER, PAST, SAME, UNRECORDED, ReplayRun
from relive_platform.replay.places import Standing, recorded_places, watched_places
from relive_platform.replay.plan import Plan, watching

__all__ = ["Look"]

_UNCLEAR: Final = (OTHER, UNRECORDED)


@dataclass(slots=True)
class Look:
    """For one replay. `plan`: of what it runs; `failed`: of the version that failed, or None; `run`: of a
    plan, once. Plans may raise ReliveError."""

    scene: SceneFile
    plan: Callable[[], Plan]
    failed: Callable[[], Plan | None]
    run: Callable[[Plan], ReplayRun]
    _plan: Plan | None = None
    _places: list[Standing] | None = None
    _known: bool = False  # where exactly it had failed
    _found: dict[str, bool] = field(default_factory=dict)  # by fingerprint

    def judge(self, found: ReplayRun) -> None:
        """Set the run's outcome to "past" if it has got past the failing line."""
        if found.outcome not in _UNCLEAR:
            return
        if found.fingerprint not in self._found:
            self._found[found.fingerprint] = self._is_past(found)
        if self._found[found.fingerprint]:
            found.outcome = PAST

    def _is_past(self, found: ReplayRun) -> bool:
        try:
            plan = self._plan = self._plan or self.plan()
            places = self._standing(plan) if has_python(plan.spec.kind) else []
            if not places:
                return False
            seen = self.run(watching(plan, [one.place for one in places]))
        except ReliveError:
            return False
        if seen.fingerprint != found.fingerprint or len(seen.calls.watched) != len(places):
            return False  # it differs from run to run, or ended its process
        pairs = list(zip(places, seen.calls.watched, strict=True))
        return any(self._left(one, watched) for one, watched in pairs) or _runs_on(pairs, seen)

    def _left(self, one: Standing, watched: Watched) -> bool:
        return watched.left and (self._known or (watched.entries == 1 and one.place.once))

    def _standing(self, plan: Plan) -> list[Standing]:
        """With the call and the pass at which it had failed, if that can be known."""
        if self._places is None:
            self._places = watched_places(self.scene, Path(plan.spec.source))
            exact = self._exact() if self._places else {}
            if exact:
                self._known = True
                self._places = [
                    Standing(_at(one.place, exact), one.changed)
                    for one in self._places
                    if (one.place.file, one.place.function) in exact
                ]
        return self._places

    def _exact(self) -> dict[tuple[str, str], Watched]:
        """Of a run of the version that failed, if it fails in the same way."""
        try:
            plan = self.failed()
            if plan is None:
                return {}
            places = [one.place for one in recorded_places(self.scene, Path(plan.spec.source))]
            ran = self.run(watching(plan, places)) if places else None
        except ReliveError:
            return {}
        if ran is None or ran.outcome != SAME or len(ran.calls.watched) != len(places):
            return {}
        return {
            (place.file, place.function): watched
            for place, watched in zip(places, ran.calls.watched, strict=True)
            if watched.raised_hit
        }


def _at(place: WatchedPlace, exact: dict[tuple[str, str], Watched]) -> WatchedPlace:
    watched = exact[place.file, place.function]
    once = place.once and watched.raised_hit == 1
    return msgspec.structs.replace(place, entry=watched.raised_entry, hit=watched.raised_hit, once=once)


def _runs_on(pairs: list[tuple[Standing, Watched]], run: ReplayRun) -> bool:
    """Whether it stands in what has taken the failing line's place, at a call that comes after all of the
    recorded ones."""
    one, watched = pairs[-1]
    calls = run.calls
    if run.outcome != UNRECORDED or not one.changed or not calls.answered or calls.unused:
        return False
    return (watched.raised_entry, watched.raised_hit) == (one.place.entry, one.place.hit)
