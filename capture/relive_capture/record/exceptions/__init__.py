"""Exceptions: their chain, what they say, and which of them are the same failure.

`details` and `signatures` are imported where they are needed: most processes never fail.
"""

from __future__ import annotations

from relive_capture.record.exceptions.chain import ChainRecorder, error_type
from relive_capture.record.exceptions.fingerprint import (
    fingerprint,
    fingerprint_of_names,
    fingerprint_of_views,
    own_names,
    place_names,
)
from relive_capture.record.exceptions.messages import Messages
from relive_capture.record.exceptions.traceback_text import traceback_text

__all__ = [
    "ChainRecorder",
    "Messages",
    "error_type",
    "fingerprint",
    "fingerprint_of_names",
    "fingerprint_of_views",
    "own_names",
    "place_names",
    "traceback_text",
]
