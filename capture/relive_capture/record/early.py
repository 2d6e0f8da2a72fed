"""What is told of a failure before the user's code is asked for texts: it may end the process."""

from __future__ import annotations

import time

from relive_base.escapes import to_json
from relive_base.parts import Why, partial
from relive_base.wire.messages import ErrorInfo, Scene

from relive_capture.model import ExceptionView

__all__ = ["early_scene"]


def early_scene(views: list[ExceptionView], redactions: list[str], secrets: list[str]) -> Scene:
    """Frames and locals, and messages made without the user's code; it is not final. The server knows whose
    it is: the whole scene takes its place."""
    return Scene(
        invocation_id="",
        captured_ns=time.time_ns(),
        error=ErrorInfo(type=views[0].type, message=views[0].message, kind="exception"),
        members={"exception.json": to_json(views)},
        parts={"exception": partial(Why.ENDED_OVER_TEXT)},
        redactions=list(dict.fromkeys(redactions)),
        final=False,
        secrets=secrets,
    )
