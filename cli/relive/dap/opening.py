"""What a client gets to look at: as `relive debug` and `relive replay` would open it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import UsageError

from relive.dap.requests import Given
from relive.dap.targets.base import Target, Told
from relive.session import Session as Home

if TYPE_CHECKING:
    from relive.dap.targets.process import ProcessTarget

__all__ = ["MODES", "Opening"]

MODES: Final = ("auto", "process", "scene", "travel")


class Opening:
    """`ident` and `mode`: what the command was started with; a client may name others as `failure` and
    `mode`."""

    def __init__(self, home: Home, ident: str, mode: str, *, code: Path | None, trust: bool) -> None:
        self._home = home
        self._ident = ident
        self._mode = mode
        self._code = code
        self._trust = trust

    def __call__(self, given: Given, *, again: bool, say: Callable[[str], None]) -> Target:
        """See session.Opener."""
        ident = given.text("failure") or self._ident
        mode = given.text("mode") or self._mode
        if mode not in MODES:
            raise UsageError(f"unknown mode {mode[:40]!r}", hint=f"one of {', '.join(MODES)}")
        if mode == "auto" and again:
            mode = "travel"
        if mode == "travel":
            return self._travel(ident, say)
        if mode == "scene":
            return _scene(self._load(ident))
        return self._process(ident, mode, say)

    def _load(self, ident: str) -> Any:
        from relive.recorded.scenes import load_scene

        return load_scene(self._home, ident)

    def _travel(self, ident: str, say: Callable[[str], None]) -> Target:
        from relive.dap.targets.travelling import TravelTarget
        from relive.recorded.scenes import is_from_elsewhere

        scene = self._load(ident)
        target = TravelTarget(
            scene, self._home.home, code=self._code, trust=self._trust, say=say,
            elsewhere=is_from_elsewhere(self._home, ident, scene),
        )  # fmt: skip
        say(_begun(target).text.rstrip())
        return target

    def _process(self, ident: str, mode: str, say: Callable[[str], None]) -> Target:
        from relive.commands.failures.debug import attach_to_kept
        from relive.dap.targets.process import ProcessTarget
        from relive.recorded.scenes import is_scene_file

        if is_scene_file(ident):
            if mode == "process":
                raise UsageError("a scene file has no process", hint="leave the mode out")
            return _scene(self._load(ident))
        call, why = attach_to_kept(self._home, ident)
        if call is None:
            if mode == "process":
                raise UsageError(why, hint="attach to its scene, or launch a replay")
            target = _scene(self._load(ident))
            say(f"{why}; this is its scene")
            return target
        kept = ProcessTarget(
            call, f"the failed process {call.worker.pid} of {call.worker.function}", reverses=False
        )
        _begun(kept)
        return kept


def _begun(target: ProcessTarget) -> Told:
    """It is left if it does not begin: nobody else could."""
    try:
        return target.begin()
    except BaseException:
        target.close()
        raise


def _scene(scene: Any) -> Target:
    from relive.dap.targets.scene import SceneTarget

    return SceneTarget(scene)
