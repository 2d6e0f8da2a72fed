"""A real pdb on the frames of a failed invocation, inside the process that failed. It talks over a
link, not a terminal."""

from relive_runtime.debugger.link import DebugLink, FrameLink
from relive_runtime.debugger.session import debug_failure

__all__ = ["DebugLink", "FrameLink", "debug_failure"]
