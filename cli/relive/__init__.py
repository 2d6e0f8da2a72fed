"""Relive's small public API, for use inside functions: call another function, send it an event."""

from __future__ import annotations

from relive.calls import FunctionError, invoke, send

__all__ = ["FunctionError", "invoke", "send"]
