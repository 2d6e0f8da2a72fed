"""The signal by which the server asks a worker to save itself at its memory limit."""

from __future__ import annotations

import signal
from typing import Final

from relive_base.kept_builtins import KEPT

__builtins__ = KEPT

__all__ = ["MEMORY_SIGNAL"]

MEMORY_SIGNAL: Final = signal.SIGRTMIN + 6
"""Beside the profiler's SIGRTMIN+4, the deadline's SIGRTMIN+5 and SIGRTMIN+7, which ends a `__str__` of an
exception that takes too long; all others are the user's."""
