"""Failures that cannot be run again, wherever their code is."""

from __future__ import annotations

from typing import Final

from relive_base.parts import Why
from relive_capture.explore.scene import SceneFile

from relive_platform.replay.errors import ReplayError

__all__ = ["check_repeatable"]

_REASONS: Final = (
    ("replay", (Why.CLIENT_UNRECORDED, Why.NOT_JSON)),
    ("event", (Why.KILLED_WITH_EVENT,)),
)


def check_repeatable(scene: SceneFile) -> None:
    """Raises ReplayError, with what is missing."""
    for name, reasons in _REASONS:
        part = scene.parts.get(name)
        if part is not None and any(part.because(why) is not None for why in reasons):
            hint = f"relive failure {scene.invocation_id} shows what there is of it"
            raise ReplayError(part.reason, hint=hint)
