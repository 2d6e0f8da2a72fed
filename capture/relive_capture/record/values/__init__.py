"""Values as trees of texts, within limits and without calling their code."""

from __future__ import annotations

from relive_capture.record.values.leaves import Leaves, bytes_text, int_text, str_text
from relive_capture.record.values.plans import KnownTypes
from relive_capture.record.values.walker import Begun, KnownTexts, Walker

__all__ = ["Begun", "KnownTexts", "KnownTypes", "Leaves", "Walker", "bytes_text", "int_text", "str_text"]
