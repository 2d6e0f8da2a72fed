"""Errors of the tracer's explore side."""

from __future__ import annotations

from relive_base.errors import NotFound, ReliveError, UsageError

__all__ = ["AmbiguousId", "ExportError", "InvocationNotFound", "OtlpSettingsError", "TraceNotFound"]


class TraceNotFound(NotFound):
    """No trace with this id is stored."""


class InvocationNotFound(NotFound):
    """No invocation with this id is stored."""


class AmbiguousId(UsageError):
    """More than one id begins like this."""


class OtlpSettingsError(UsageError):
    """The settings of the OTLP export cannot be used."""


class ExportError(ReliveError):
    """The OTLP endpoint did not take what was sent."""
