"""Failures as programs in other languages tell them: a type, a message, a stack that is text."""

from __future__ import annotations

from relive_capture.record.told.payload import Told, read_payload
from relive_capture.record.told.scene import capture_told
from relive_capture.record.told.stacks import ToldFrame, ToldValue, parse_stack

__all__ = ["Told", "ToldFrame", "ToldValue", "capture_told", "parse_stack", "read_payload"]
