"""What is known of where it had failed decides whether a run that fails elsewhere is past it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from relive_base.wire.messages import FunctionSpec
from relive_capture.explore.scene import SceneFile
from relive_capture.model import ExceptionView, FrameView
from relive_capture.recording_format import PlaybackReport, ReplayInput, Watched
from relive_platform.replay.errors import ReplayError
from relive_platform.replay.looking import Look
from relive_platform.replay.model import OTHER, PAST, SAME, UNRECORDED, ReplayRun
from relive_platform.replay.plan import Plan

OLD = """\
def handler(event):
    for item in event:
        price(item)

def price(item):
    return item['x']
"""


class Bench:
    """A failure in `price`, called in a loop. `seen`: what the worker says of the places, of the code that
    failed (None: it is not here) and of the code that is replayed."""

    def __init__(self, folder: Path, new: str, failed: list[Watched] | None, seen: list[Watched]) -> None:
        self._folder = folder
        self._failed = failed
        self._seen = seen
        self.ran: list[str] = []
        self.fingerprint = "new"
        self.calls = PlaybackReport()
        self.outcome = OTHER
        for name, text in (("old", OLD), ("new", new)):
            (folder / name).mkdir()
            (folder / name / "app.py").write_text(text)
        frames = [
            FrameView(file="app.py", line=3, function="handler", in_app=True),
            FrameView(file="app.py", line=6, function="price", in_app=True),
        ]
        scene = SimpleNamespace(
            exceptions=[ExceptionView(type="KeyError", frames=frames)],
            sources=["app.py"],
            source=lambda _: OLD,
        )
        self.look = Look(cast(SceneFile, scene), lambda: self._plan("new"), self._failed_plan, self._run)

    def judge(self, outcome: str = OTHER) -> str:
        self.outcome = outcome
        run = ReplayRun(outcome=outcome, seconds=0.0, fingerprint="new")
        self.look.judge(run)
        return run.outcome

    def _plan(self, name: str) -> Plan:
        spec = FunctionSpec(name=name, version=1, handler="app:handler", source=str(self._folder / name))
        return Plan(spec=spec, script=ReplayInput(), zygote=cast(Any, None), request=cast(Any, None), code="")

    def _failed_plan(self) -> Plan | None:
        if self._failed is None:
            raise ReplayError("its code is not here")
        return self._plan("old")

    def _run(self, plan: Plan) -> ReplayRun:
        name = plan.spec.name
        self.ran.append(name)
        assert plan.script.watched
        watched = self._failed or [] if name == "old" else self._seen
        calls = msgspec.structs.replace(self.calls, watched=watched)
        outcome = SAME if name == "old" else self.outcome
        return ReplayRun(outcome=outcome, seconds=0.0, fingerprint=self.fingerprint, calls=calls)


FIXED = OLD.replace("item['x']", "item.get('x')")
THIRD = [Watched(entries=1, raised_entry=1, raised_hit=3), Watched(entries=3, raised_entry=3, raised_hit=1)]


def test_the_very_call_that_failed_has_to_be_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FIXED, THIRD, [Watched(entries=1), Watched(entries=4, left=True)])

    assert bench.judge() == PAST
    assert bench.judge() == PAST
    assert bench.ran == ["old", "new"]  # once for each failure, however often it is run


def test_it_is_not_past_what_it_has_not_left(tmp_path: Path) -> None:
    assert Bench(tmp_path, FIXED, THIRD, [Watched(entries=1), Watched(entries=4)]).judge() == OTHER


@pytest.mark.parametrize(("entries", "verdict"), [(1, PAST), (2, OTHER)])
def test_without_the_code_that_failed_only_what_ran_once_counts(
    tmp_path: Path, entries: int, verdict: str
) -> None:
    bench = Bench(tmp_path, FIXED, None, [Watched(entries=1, left=True), Watched(entries=entries, left=True)])

    assert bench.judge() == verdict  # that of the caller is in a loop


def test_a_run_that_comes_out_otherwise_says_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FIXED, THIRD, [Watched(), Watched(left=True)])
    bench.fingerprint = "again another"

    assert bench.judge() == OTHER


def test_what_is_clear_is_not_looked_at(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FIXED, THIRD, [Watched(), Watched(left=True)])

    assert bench.judge(SAME) == SAME
    assert not bench.ran


@pytest.mark.parametrize(("unused", "verdict"), [([], PAST), (["GET http://a.test/"], UNRECORDED)])
def test_the_changed_line_itself_at_a_call_after_all_recorded_ones(
    tmp_path: Path, unused: list[str], verdict: str
) -> None:
    seen = [Watched(entries=1), Watched(entries=3, raised_entry=3, raised_hit=1)]
    bench = Bench(tmp_path, FIXED, THIRD, seen)
    bench.calls = PlaybackReport(answered=2, missing=["GET http://b.test/"], unused=unused)

    assert bench.judge(UNRECORDED) == verdict
