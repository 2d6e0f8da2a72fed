"""A failure, as it is told."""

from __future__ import annotations

import msgspec

__all__ = ["ErrorInfo"]


class ErrorInfo(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One failure, short. Text is redacted and bounded: message 2,000, traceback 16,000 characters."""

    type: str
    message: str
    kind: str = "exception"  # see records.FAILURE_KINDS
    file: str = ""  # innermost frame of the user's own code
    line: int = 0
    function: str = ""
    fingerprint: str = ""
    traceback: str = ""
    module: str = ""  # the import name of the module that `function` is in
