"""The signal by which the server asks a worker to save itself at its memory limit."""

from __future__ import annotations

import signal
from typing import Final

__all__ = ["MEMORY_SIGNAL"]

MEMORY_SIGNAL: Final = signal.SIGRTMIN + 6
"""Beside the profiler's SIGRTMIN+4 and the deadline's SIGRTMIN+5; all others are the user's."""
