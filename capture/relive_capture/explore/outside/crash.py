"""The scene of a process that died of a fatal error, from what Python's fault handler could still write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relive_base.parts import PartState, Reason, State, Why
from relive_base.wire.messages import ErrorInfo

from relive_capture.explore.outside.crash_shapes import crash_shapes, line_of
from relive_capture.explore.outside.fault_text import parse_fault
from relive_capture.explore.outside.frames import OutsideFrames, OutsideView
from relive_capture.record.exceptions import fingerprint_of_names
from relive_capture.record.frames import InApp

__all__ = ["FAULT_MEMBER", "crash_view", "locate"]

FAULT_MEMBER: Final = "native/faulthandler.txt"
_OF_SIGNALS: Final = (  # these say no more than the signal does
    "Segmentation fault",
    "Aborted",
    "Bus error",
    "Illegal instruction",
    "Floating point exception",
    "Floating-point exception",
)


def crash_view(
    text: str,
    error: ErrorInfo,
    source: str,
    in_app: Sequence[str] = (),
    redact_keys: Sequence[str] = (),
    why: Sequence[Reason] = (),
) -> OutsideView | None:
    """Exception, threads and source files for `text`; None if it names no fatal error. `why` there is no
    more."""
    report = parse_fault(text)
    if report is None:
        return None
    frames = OutsideFrames(source, in_app, redact_keys)
    view = frames.convert(report.as_dump(), error.kind, error.type, error.message)
    if view is None:
        return None
    part = PartState(State.PARTIAL, [Reason(Why.NO_LOCALS), *why])
    view.parts["exception"] = view.parts["threads"] = part
    return view


def locate(error: ErrorInfo, text: str, source: str, in_app: Sequence[str] = ()) -> None:
    """Add to `error` where the user's code stood. Of all files only the one of the failing line is read."""
    report = parse_fault(text)
    if report is None:
        return
    if report.reason not in _OF_SIGNALS:
        error.message = f"{error.message}: {report.reason}"[:2_000]
    if not report.threads or not report.threads[0].frames:
        return
    roots = InApp([source, *in_app])
    frames = [(*roots.place(file), line, name) for file, line, name in report.threads[0].frames]
    own = [frame for frame in frames if frame[0]]
    _, error.file, error.line, error.function = (own or frames)[0]
    names = [f"{shown}:{name}" for _, shown, _, name in reversed(own or frames[:3])]
    failing = [
        line_of(file, line, roots) for file, line, _ in report.threads[0].frames if roots.place(file)[0]
    ]
    shapes = crash_shapes(error.kind, error.message, failing[0] if failing else "")
    error.fingerprint = fingerprint_of_names(error.kind, error.type, names, shapes)
