"""What an invocation reads from outside, kept in bounded memory so that a failure can be had again.

vcrpy was judged first. It replaces the connection classes of each library by its own, reads every response
to its end before the caller gets it (a stream is no stream any more), has no bounds, and imports what it
can patch. Here the libraries' own methods stay; what passes through them is copied as the function reads
it, and only libraries that the function has imported are touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_capture.record.recording.files import outside_of_code
from relive_capture.record.recording.imports import when_imported
from relive_capture.record.recording.limits import RecordingLimits
from relive_capture.record.recording.recorder import Recorder

if TYPE_CHECKING:
    from relive_capture.record.recording.beside import BesideRecorder, Recorded

__all__ = [
    "BesideRecorder",
    "Recorded",
    "Recorder",
    "RecordingLimits",
    "outside_of_code",
    "when_imported",
]


def __getattr__(name: str) -> object:
    """What is for invocations beside each other is loaded when it is asked for: most workers have none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from relive_capture.record.recording import beside

    return getattr(beside, name)
