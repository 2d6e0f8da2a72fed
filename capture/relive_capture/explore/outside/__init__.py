"""Processes that cannot speak for themselves: read from outside, from core files, from the fault handler."""

from __future__ import annotations

from relive_capture.explore.outside.crash import FAULT_MEMBER, crash_view, locate
from relive_capture.explore.outside.external import PYSTACK_MEMBER, ExternalDump, dump, py_spy_path
from relive_capture.explore.outside.fault_text import parse_fault
from relive_capture.explore.outside.frames import OutsideFrames, OutsideView, put_first
from relive_capture.explore.outside.pystack import (
    PystackError,
    parse_pystack,
    pystack_core,
    pystack_path,
    pystack_remote,
    stack_lines,
)

__all__ = [
    "FAULT_MEMBER",
    "PYSTACK_MEMBER",
    "ExternalDump",
    "OutsideFrames",
    "OutsideView",
    "PystackError",
    "crash_view",
    "dump",
    "locate",
    "parse_fault",
    "parse_pystack",
    "put_first",
    "py_spy_path",
    "pystack_core",
    "pystack_path",
    "pystack_remote",
    "stack_lines",
]
