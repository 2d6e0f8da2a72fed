"""Running a recorded failure again from a command, with a debugger in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from relive_base.errors import ExitCode, ReliveError
from relive_base.terminal import one_line, title_line

from relive.ending import ended_by_signals
from relive.output import echo
from relive.recorded.scenes import load_scene
from relive.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from relive_platform.api.local_debug import LocalDebugCall
    from relive_platform.replay import ReplayOptions, ReplayOutcome, ReplayRun
    from relive_views.scenes.archives import SceneFile

__all__ = ["debugger", "find_scene", "run_again"]

_SHOWN: Final = 8
_WHOLE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def run_again(session: Session, scene: SceneFile, options: ReplayOptions) -> ReplayOutcome:
    from relive_platform.replay import replay
    from relive_platform.replay.history import save_replay

    with _refusing(), ended_by_signals():
        outcome = replay(scene, session.home, options, _say_agreement if options.travel else _nothing)
    if session.scenes_dir.is_dir():
        save_replay(session.scenes_dir, outcome)
    return outcome


def find_scene(session: Session, ident: str) -> SceneFile:
    """The scene: a file, one of this home's files, or from the store, which need not be there."""
    from relive_capture.explore.scenes import load_from_disk

    whole = bool(_WHOLE_ID.fullmatch(ident))  # "last" and names are as other commands understand them
    with _refusing():
        found = load_from_disk(session.scenes_dir, ident) if whole and not session.server else None
        return found if found is not None else load_scene(session, ident)


@contextmanager
def _refusing() -> Iterator[None]:
    """What cannot be replayed does not end as a function that has failed again does."""
    try:
        yield
    except ReliveError as error:
        if error.exit_code == ExitCode.FAILED:
            error.exit_code = ExitCode.REFUSED
        raise


def _nothing(run: ReplayRun) -> None:
    """Runs are told of at the end."""


def _say_agreement(run: ReplayRun) -> None:
    """What is gone back in is a replay: how far it is the failure, too."""
    if run.outcome == "passed":
        return
    count, alike = run.locals_compared, run.locals_alike
    said = "the same failure" if run.outcome == "same" else "another failure than the recorded one"
    said = "past the failing line, and failed later" if run.outcome == "past" else said
    agrees = f": {alike} of {count} locals of the failing frame are as they were recorded" if count else ""
    if run.locals_unsure:
        agrees += (
            f"; not to be told in full (redacted, cut, or an object): {', '.join(run.locals_unsure[:_SHOWN])}"
        )
    echo(one_line(f"this replay is {said}{agrees}", 300))
    for found in run.differences[:_SHOWN]:
        told = f"{found.what}: recorded {title_line(found.recorded)}, here {title_line(found.replayed)}"
        echo(one_line(f"  {told}", 200))


def debugger(session: Session, commands: tuple[str, ...]) -> Callable[[LocalDebugCall], None]:
    """Talks to the debugger of a failed run until the user leaves it."""
    from relive.debugging.process import talk_to_process

    def talk(call: LocalDebugCall) -> None:
        talk_to_process(session, call, commands, raw=False)

    return talk
