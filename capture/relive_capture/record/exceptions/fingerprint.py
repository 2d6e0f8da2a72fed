"""The fingerprint: which failures are the same one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relive_capture.model import FrameView
from relive_capture.record.frames import InApp, RawFrame

__all__ = ["fingerprint", "fingerprint_of_names", "fingerprint_of_views", "own_names", "place_names"]

_MAX_FRAMES = 30
# Parts of a name that differ between runs: addresses, generated counters, comprehension and lambda markers.
_VOLATILE = re.compile(r"0x[0-9a-fA-F]+|\d{3,}")


def fingerprint(
    kind: str, error_type: str, frames: list[RawFrame], in_app: InApp, shapes: Sequence[str] = ()
) -> str:
    """16 hex digits from the kind, the error's type, the user's own frames (file, function), and from what
    `shapes` says: the failing expression, the message without its data, what the error was raised from.

    No line numbers, no absolute paths: it survives edits above the line, other machines and other versions.
    Recursion counts once, however deep it went. Without any frame of the user's own, the three innermost ones
    stand in.
    """
    return fingerprint_of_names(kind, error_type, place_names(frames, in_app), shapes)


def place_names(frames: list[RawFrame], in_app: InApp) -> list[str]:
    """ "file:function" of the user's own frames, else of the three innermost ones."""
    return own_names(frames, in_app) or [_name(raw, in_app) for raw in frames[-3:]]


def own_names(frames: list[RawFrame], in_app: InApp) -> list[str]:
    """ "file:function" of the user's own frames."""
    return [_name(raw, in_app) for raw in frames if in_app.frame(raw.frame)[0]]


def _name(raw: RawFrame, in_app: InApp) -> str:
    return f"{in_app.stable(raw.frame.f_code.co_filename)}:{raw.frame.f_code.co_qualname}"


def fingerprint_of_names(kind: str, error_type: str, names: list[str], shapes: Sequence[str] = ()) -> str:
    """The same from "file:function" names, outermost first."""
    distinct = list(dict.fromkeys(_VOLATILE.sub("#", name) for name in dict.fromkeys(names)))
    if len(distinct) > _MAX_FRAMES:
        distinct = distinct[:10] + distinct[-(_MAX_FRAMES - 10) :]
    if kind in ("timeout", "memory", "recursion"):
        # Where such a failure strikes differs from run to run below the point where it began.
        distinct, shapes = distinct[:4], ()
    import hashlib  # here: only failures need it, and it loads OpenSSL

    text = "\n".join([kind, error_type, *distinct, *shapes])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def fingerprint_of_views(
    kind: str, error_type: str, frames: list[FrameView], shapes: Sequence[str] = ()
) -> str:
    """The same from recorded frames, for scenes that were taken from outside."""
    chosen = [frame for frame in frames if frame.in_app] or frames[-3:]
    names = [f"{frame.file}:{frame.function}" for frame in chosen]
    return fingerprint_of_names(kind, error_type, names, shapes)
