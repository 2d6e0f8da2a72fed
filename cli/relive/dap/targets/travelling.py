"""A run that can be gone back in: the replay is in a thread of its own, and ends when somebody leaves it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ReliveError

from relive.dap.targets.process import ProcessTarget

if TYPE_CHECKING:
    from relive_platform.api.local_debug import LocalDebugCall
    from relive_platform.replay import ReplayRun

__all__ = ["TravelTarget"]


class TravelTarget(ProcessTarget):
    """See base.Target."""

    def __init__(
        self,
        scene: Any,
        home: Path,
        *,
        code: Path | None = None,
        trust: bool = False,
        elsewhere: bool = False,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Runs it until it fails; `say` is told how far it is the recorded failure. Raises ReliveError."""
        from relive_platform.replay import ReplayOptions, replay

        self._leave = threading.Event()
        began: queue.Queue[LocalDebugCall | ReliveError] = queue.Queue(1)

        def talk(call: LocalDebugCall) -> None:
            began.put(call)
            self._leave.wait()
            call.close()

        def run() -> None:
            options = ReplayOptions(code=code, trust=trust, travel=True, debug=talk, elsewhere=elsewhere)
            try:
                outcome = replay(scene, home, options, lambda ran: say(_agreement(ran)))
                problem = ReliveError(
                    "it passed: there is no failure to go back from"
                    if outcome.outcome == "passed"
                    else "; ".join(outcome.notes) or "the run left nothing to look at"
                )
            except ReliveError as error:
                problem = error
            except Exception as error:
                problem = ReliveError(f"the replay failed: {type(error).__name__}: {error}")
            if not began.full():
                began.put(problem)

        self._thread = threading.Thread(target=run, name="replay", daemon=True)
        self._thread.start()
        found = began.get()
        if isinstance(found, ReliveError):
            self._thread.join()
            raise found
        super().__init__(found, "a replay; the recorded failure is where it ends", reverses=True)

    def close(self) -> None:
        self._leave.set()
        self._thread.join()


_SAID: Final = {"same": "the same failure", "past": "past the failing line, and failed later"}


def _agreement(run: ReplayRun) -> str:
    if run.outcome == "passed":
        return ""
    said = _SAID.get(run.outcome, "another failure than the recorded one")
    count = run.locals_compared
    agrees = f": {run.locals_alike} of {count} locals are as they were recorded" if count else ""
    if run.locals_unsure:
        agrees += (
            f"; not to be told in full (redacted, cut, or an object): {', '.join(run.locals_unsure[:8])}"
        )
    differs = [f"  {one.what}: recorded {one.recorded}, here {one.replayed}" for one in run.differences[:8]]
    return "\n".join([f"this replay is {said}{agrees}", *differs])
