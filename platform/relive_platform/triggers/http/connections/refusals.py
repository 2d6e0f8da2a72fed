"""What a connection is told before it is closed."""

from __future__ import annotations

from relive_platform.triggers.http.responses import Response, problem

__all__ = ["refusal", "too_large", "too_long"]


def refusal(status: int, kind: str, message: str) -> Response:
    """An error after which the connection is closed."""
    return problem(status, kind, message, close=True)


def too_long(limit_bytes: int) -> Response:
    """Of the request's target."""
    return refusal(414, "TargetTooLong", f"the request's target is over {limit_bytes} bytes")


def too_large(message: str) -> Response:
    """Of anything else in its head."""
    return refusal(431, "HeadTooLarge", message)
