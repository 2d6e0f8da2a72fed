"""`relive replay`: plan, run as often as asked, compare."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from relive_base.errors import NotFound, ReliveError
from relive_base.scratch import scratch_folder
from relive_base.wire.messages import ErrorInfo, FunctionSpec, Logs, Playback
from relive_capture.explore.parts import write_scene
from relive_capture.explore.scene import SceneFile, read_scene
from relive_capture.model import every_exception
from relive_capture.record.playback import NotRecorded
from relive_capture.recording_format import GivenAnswer, PlaybackReport
from relive_runtime.folder import RuntimeFolderError, build_runtime
from relive_runtime.travel.last_resort import ENDS_BY

from relive_platform.evidence import StackMemory, scene_input
from relive_platform.replay.cleaning import cleaned, redactor_of
from relive_platform.replay.comparing import agreement, differences, same_failure
from relive_platform.replay.errors import ReplayError
from relive_platform.replay.files import file_notes
from relive_platform.replay.looking import Look
from relive_platform.replay.looping import BackgroundLoop
from relive_platform.replay.model import OTHER, PASSED, SAME, UNRECORDED, ReplayOutcome, ReplayRun
from relive_platform.replay.pacing import call_notes
from relive_platform.replay.plan import CLOCK_DISTRIBUTION, Plan, make_plan
from relive_platform.replay.stage import Played, Stage, Stages
from relive_platform.replay.warmth import warm_notes

if TYPE_CHECKING:
    from relive_platform.api.local_debug import LocalDebugCall

__all__ = ["ReplayOptions", "replay"]

_LOG_LINES: Final = 200
_SHOWN: Final = 5
_GIVEN: Final = ("event", "context.http", "environment")  # what the function is given
_playback = msgspec.msgpack.Decoder(Playback)
_report = msgspec.msgpack.Decoder(PlaybackReport)
_logs = msgspec.msgpack.Decoder(Logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """`code`: a working copy instead of the version that failed; `live`: let calls reach the network;
    `trust`: run the sources in the archive if this home has not the code; `debug`
    gets a debugging session in the process of the first run that fails, which is then the last; with
    `travel` it can go back from there. `answers`: for calls that the recording has no answer to.
    `python`: an interpreter whose packages it gets, if it was recorded outside of Relive. `elsewhere`: the
    scene is somebody else's."""

    code: Path | None = None
    live: bool = False
    times: int = 1
    trust: bool = False
    travel: bool = False
    answers: Sequence[GivenAnswer] = ()
    python: Path | None = None
    elsewhere: bool = False
    debug: Callable[[LocalDebugCall], None] | None = None


def replay(
    scene: SceneFile,
    home: Path,
    options: ReplayOptions,
    on_run: Callable[[ReplayRun], None] = lambda run: None,
) -> ReplayOutcome:
    """Run the failure again, without a server. Blocks. Raises ReplayError and other ReliveErrors if it
    cannot be run; whatever the function does is in the outcome."""
    with scratch_folder("replay") as folder:
        plans = _Plans(scene, home, options, folder)
        plan = plans.asked()
        runtime = _runtime(home, folder)
        with BackgroundLoop() as loop:
            stages = Stages(loop, runtime, folder, keep=options.debug is not None)
            runs = _Runs(scene, plan, plans, folder, loop, stages).all(options, on_run)
    error = _recorded_error(scene)
    return ReplayOutcome(
        invocation_id=scene.invocation_id,
        attempt=scene.attempt,
        function=str(scene.manifest["function"]),
        version=int(scene.manifest["version"]),
        code=plan.code,
        recorded_type=error.type,
        recorded_message=error.message,
        recorded_file=error.file,
        recorded_line=error.line,
        runs=runs,
        notes=plan.notes
        + _run_notes(runs)
        + _reasons(scene, runs)
        + call_notes(scene, runs, live=options.live),
    )


def _runtime(home: Path, folder: Path) -> Path:
    """What the worker imports of Relive; below the temporary folder if the home cannot be written."""
    for place in (home, folder):
        try:
            return build_runtime(place, [CLOCK_DISTRIBUTION])
        except RuntimeFolderError:
            continue
    return build_runtime(folder)


@dataclass(slots=True)
class _Plans:
    """What is to be run, in the ways that a replay needs it."""

    scene: SceneFile
    home: Path
    options: ReplayOptions
    folder: Path

    def asked(self) -> Plan:
        """What was asked for."""
        return self._plan("", code=self.options.code, travel=self.options.travel)

    def looked_at(self) -> Plan:
        """The same, to be run for a look only."""
        return self._plan("look", code=self.options.code)

    def failed(self) -> Plan | None:
        """The version that failed, if another code was asked for."""
        return self._plan("failed") if self.options.code is not None else None

    def _plan(self, name: str, *, code: Path | None = None, travel: bool = False) -> Plan:
        options, scratch = self.options, self.folder / name
        scratch.mkdir(exist_ok=True)
        return make_plan(
            self.scene, self.home, code=code, live=options.live, scratch=scratch, trust=options.trust,
            travel=travel, answers=options.answers, python=options.python,
            elsewhere=options.elsewhere,
        )  # fmt: skip


@dataclass(slots=True)
class _Runs:
    """One run after the other."""

    scene: SceneFile
    plan: Plan
    plans: _Plans
    folder: Path
    loop: BackgroundLoop
    stages: Stages

    def all(self, options: ReplayOptions, on_run: Callable[[ReplayRun], None]) -> list[ReplayRun]:
        runs: list[ReplayRun] = []
        look = Look(
            self.scene,
            self.plans.looked_at,
            self.plans.failed,
            lambda plan: self.one(plan, self.stages.spare),
        )
        with closing(self.stages):
            for _ in range(options.times):
                runs.append(self.one(self.plan, self.stages.first))
                if not options.live:  # nothing that reaches the network is done once more for a look
                    look.judge(runs[-1])
                on_run(runs[-1])
                if options.debug is not None and runs[-1].outcome != PASSED:
                    self._debug(options.debug)
                    break
        return runs

    def _debug(self, talk: Callable[[LocalDebugCall], None]) -> None:
        try:
            call = self.loop.call(self.stages.first().debug(self.scene.invocation_id))
        except NotFound as error:
            self.plan.notes.append(f"no debugger: {error.message}")
        else:
            talk(call)

    def one(self, plan: Plan, stage: Callable[[], Stage]) -> ReplayRun:
        began = time.monotonic()
        try:
            played = self.loop.call(stage().run(plan.spec, plan.zygote, plan.request))
        except TimeoutError:
            raise ReplayError("the replay did not come to an end", hint="see relive doctor") from None
        run = _run(self.scene, played, time.monotonic() - began, self.folder, plan.spec)
        if plan.script.travel and run.error_type == "WorkerKilled" and ENDS_BY.name in run.message:
            raise ReplayError(
                f"{plan.spec.name} was computing in one call of compiled code, which lets no signal interrupt"
                " it: that cannot be gone back in",
                hint=f"relive failure {self.scene.invocation_id} shows where it was when it failed",
            )
        return run


def _run(scene: SceneFile, played: Played, seconds: float, folder: Path, spec: FunctionSpec) -> ReplayRun:
    """Without secrets."""
    outcome, record = played.outcome, played.outcome.record
    calls = _calls(played)
    found = ReplayRun(outcome=PASSED, seconds=seconds, calls=calls, log=_log_tail(played.telemetry))
    found.fresh_globals, calls.globals = calls.globals, {}
    error = record.error
    if played.job is None:
        found.result = _result(outcome.body)
        return cleaned(found, redactor_of(spec.environment, spec.redact_keys))
    if error is not None and record.status == "rejected":
        said = redactor_of(spec.environment, spec.redact_keys).text(error.message)
        raise ReplayError(f"the replay's worker was not run: {said}")
    info = write_scene(folder / "replayed.scene", scene_input(played.job, StackMemory()))
    again = read_scene(info.path)
    if same_failure(scene, again):
        found.outcome = SAME
    else:
        found.outcome = UNRECORDED if _refused(again) and found.calls.missing else OTHER
    error = error or _recorded_error(again)  # a thread or task of an invocation that succeeds failed again
    found.error_type, found.message, found.kind = error.type, error.message, str(again.manifest["kind"])
    found.file, found.line, found.fingerprint = error.file, error.line, str(again.manifest["fingerprint"])
    try:
        found.differences = differences(scene, again)
        agrees = agreement(scene, again)
        found.locals_alike, found.locals_compared = agrees.alike, agrees.compared
        found.locals_unsure = agrees.unsure
    except ReliveError:
        found.differences = []  # the recorded scene is damaged there; the fingerprint has decided
    found.scene = again.raw
    return cleaned(found, redactor_of(spec.environment, spec.redact_keys, info.secrets))


def _refused(scene: SceneFile) -> bool:
    """Whether it failed because a call has no answer in the recording."""
    return any(view.type == NotRecorded.__name__ for view, _ in every_exception(scene.exceptions))


def _calls(played: Played) -> PlaybackReport:
    try:
        return (
            _report.decode(_playback.decode(played.playback).report) if played.playback else PlaybackReport()
        )
    except msgspec.DecodeError:
        return PlaybackReport()


def _result(body: bytes) -> object:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return body[:10_000].decode("utf-8", "backslashreplace")


def _log_tail(payloads: list[bytes]) -> list[str]:
    lines: list[str] = []
    for payload in payloads:
        try:
            lines += [line.body for line in _logs.decode(payload).lines]
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # a Spans frame
    return lines[-_LOG_LINES:]


def _recorded_error(scene: SceneFile) -> ErrorInfo:
    error = scene.manifest["error"]
    line = error.get("line")
    return ErrorInfo(
        type=str(error.get("type", "")),
        message=str(error.get("message", "")),
        file=str(error.get("file", "")),
        line=line if isinstance(line, int) else 0,
    )


def _reasons(scene: SceneFile, runs: list[ReplayRun]) -> list[str]:
    """What the recorded run had and a replay has not, if it came out otherwise."""
    if all(run.outcome == SAME for run in runs):
        return []
    hidden = [place for place in scene.redactions if place.startswith(_GIVEN)] + runs[-1].calls.redacted
    notes = []
    if hidden:
        more = f" and {len(hidden) - _SHOWN} more" if len(hidden) > _SHOWN else ""
        notes.append(f"redacted values may be the reason: {', '.join(hidden[:_SHOWN])}{more}")
    return notes + warm_notes(scene.replay_notes, runs[-1].fresh_globals)


def _run_notes(runs: list[ReplayRun]) -> list[str]:
    """What the last run's worker says."""
    calls = runs[-1].calls
    notes = [f"the clock is today's: {calls.clock}"] if calls.clock else []
    notes += file_notes(runs[-1])
    if calls.redacted and runs[-1].outcome == SAME:
        notes.append(f"the function got redacted values: {', '.join(calls.redacted[:_SHOWN])}")
    if calls.drawn:
        notes.append(f"{calls.drawn} random bytes were new: the function asked for more than it had recorded")
    return notes
