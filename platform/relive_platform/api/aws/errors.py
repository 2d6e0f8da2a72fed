"""What a caller of an AWS API is told when it gets no result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["AwsError", "not_implemented", "validation_error"]

_CLIENT_LIMIT = 500


class AwsError(Exception):
    """An answer that is an error. `code`: name of the exception's shape; `members`: what else it has;
    `query_code`: the code that clients of the older query protocol know it by, if the model does not say."""

    def __init__(
        self, code: str, message: str, status: int = 400, *, query_code: str = "", **members: Any
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.query_code = query_code
        self.members = members

    @property
    def is_senders(self) -> bool:
        """Whether the request is at fault, and not we."""
        return self.status < _CLIENT_LIMIT


def validation_error(problems: Sequence[str]) -> AwsError:
    """All that is wrong with the parameters of a request."""
    count = len(problems)
    found = "validation error" if count == 1 else "validation errors"
    return AwsError("ValidationException", f"{count} {found} detected: {'; '.join(problems)}")


def not_implemented(service: str, operation: str) -> AwsError:
    """An operation that the service has, and we do not."""
    return AwsError(
        "NotImplementedException",
        f"Relive does not serve {service}'s operation {operation}",
        501,
        query_code="UnsupportedOperation",
    )
