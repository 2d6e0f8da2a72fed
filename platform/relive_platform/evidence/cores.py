"""Reading the core file of a worker that crashed, with pystack: the frames with their locals."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Final

from relive_base.parts import State, Why, ok, partial
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore.outside import (
    FAULT_MEMBER,
    PYSTACK_MEMBER,
    OutsideFrames,
    PystackError,
    parse_fault,
    parse_pystack,
    put_first,
    pystack_core,
    stack_lines,
)

from relive_platform.evidence.attempt import SceneJob

__all__ = ["read_core"]

_LIMIT_S: Final = 15.0


def read_core(job: SceneJob, error: ErrorInfo) -> None:
    """Add to `job` what pystack finds in its core file; the file is gone afterwards. Blocks up to 15 s."""
    values = job.parts.get("event", ok()).state is not State.MISSING  # capture = "off" keeps no event either
    try:
        text = pystack_core(job.core, os.path.realpath(sys.executable), _LIMIT_S, values=values)
        threads = parse_pystack(text, job.record.worker_pid)
        _name_the_dead(threads, job.members.get(FAULT_MEMBER, b"").decode("utf-8", "replace"))
        frames = OutsideFrames(job.source, job.in_app, job.redact_keys)
        view = frames.convert(threads, error.kind, error.type, error.message)
    except PystackError as problem:
        if PYSTACK_MEMBER not in job.members:
            job.parts["native"] = partial(Why.CORE_UNREADABLE, str(problem))
        return
    finally:
        with contextlib.suppress(OSError):
            os.unlink(job.core)
    if view is not None:
        job.members.update(view.members)
        job.members[PYSTACK_MEMBER] = Redactor(job.redact_keys).text(stack_lines(text)).encode()
        job.parts.update(view.parts)
        job.parts["exception"] = ok(Why.READ_FROM_CORE)
        job.parts["native"] = ok()
        job.redactions.extend(view.redactions)
        if not error.line:
            error.file, error.line, error.function = view.error.file, view.error.line, view.error.function
        error.traceback = error.traceback or view.error.traceback


def _name_the_dead(threads: list[dict[str, Any]], fault: str) -> None:
    """The thread that the fault handler calls the current one is the failure's, whichever it was."""
    report = parse_fault(fault)
    if report is None or not report.threads:
        return
    wanted = [name for _, _, name in report.threads[0].frames]
    put_first(threads, lambda found: [frame["name"] for frame in found["frames"]] == wanted)
