"""The parts of a scene as all rooms speak of them: their states, and the reasons for these."""

from __future__ import annotations

from relive_base.parts.codes import Code, State, Why
from relive_base.parts.state import (
    Argument,
    PartState,
    Reason,
    bounded,
    missing,
    not_applicable,
    ok,
    partial,
)

__all__ = [
    "Argument",
    "Code",
    "PartState",
    "Reason",
    "State",
    "Why",
    "bounded",
    "missing",
    "not_applicable",
    "ok",
    "partial",
]
