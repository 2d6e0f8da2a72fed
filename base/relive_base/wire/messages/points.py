"""Breakpoints ahead and logpoints: lines of a function at which a worker does something more."""

from __future__ import annotations

from typing import Final

import msgspec

from relive_base.wire.messages.frame import Frame

__all__ = ["BREAKPOINT", "Point", "PointHit", "Points", "Region", "Statement"]

BREAKPOINT: Final = "breakpoint"
"""The kind of failure that an invocation is which was held; see records.FAILURE_KINDS."""


Region = tuple[int, int, int, int]
"""Line and column of its beginning and of its end, as in code: lines from 1, columns in bytes from 0."""


class Statement(msgspec.Struct, array_like=True, frozen=True):
    """What a point belongs to: a statement, or a part of one that runs by itself (what a lambda gives, an
    element of a comprehension). `code` and `first_line`: the name and first line of the code object it is in.
    `inside`: the regions of the statements in it. `again`: coming back from these is one more pass (a loop).
    `part`: it is none of its own."""

    code: str
    first_line: int
    region: Region
    inside: tuple[Region, ...] = ()
    again: bool = False
    part: bool = False


class Point(msgspec.Struct, array_like=True):
    """One line. `text`: what a logpoint says, as an f-string without its quotes; None: a breakpoint.
    `condition`: an expression, "": always. `answer`: JSON text that the caller of a held invocation gets;
    b"": a time-out. `statement`: which one; without it the point cannot work."""

    number: int
    file: str  # relative to the function's own folder
    line: int
    text: str | None = None
    condition: str = ""
    answer: bytes = b""
    statement: Statement | None = None


class Points(Frame, tag="points"):
    """To a worker: those there are from now on, in place of all that it had."""

    points: list[Point]


class PointHit(Frame, tag="point_hit"):
    """From a worker: an invocation is at a point. It waits for the CallResult of that number, which says
    whether this is one of those that are meant. `problem`: the point cannot work, and nothing is waited
    for. `attempt`: which try of its event it is, as the server adds."""

    call_id: int
    number: int
    invocation_id: str = ""
    problem: str = ""
    attempt: int = 1
