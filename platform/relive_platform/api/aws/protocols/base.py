"""What every protocol has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.signature import Signed

__all__ = ["Answer", "WireProtocol", "json_bytes", "json_of", "member_named"]

_DEEPEST: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `headers`: with the content type, without the length."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class WireProtocol(Protocol):
    """One service's. `read` gives an operation of the model and its parameters. Raises AwsError."""

    name: str

    def operation_of(self, request: Signed) -> tuple[str, Mapping[str, str]]:
        """The operation that is asked for, and what its path says. Raises AwsError if there is none."""

    def read(self, request: Signed, operation: str, in_path: Mapping[str, str]) -> dict[str, Any]:
        """Its parameters, checked."""

    def write(self, operation: str, result: Mapping[str, Any]) -> Answer:
        """The answer of a result."""

    def write_error(self, error: AwsError, request_id: str) -> Answer:
        """The answer of an error."""


def json_of(body: bytes) -> Any:
    """The value of a body, {} if it is empty. Raises AwsError."""
    if not body:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse request body into json: {reason}"
        ) from error
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Readers recurse along the model, which may recurse itself."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise AwsError("SerializationException", f"the body is nested over {_DEEPEST} levels deep")
        following: list[Any] = []
        for entry in level:
            inner = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
            following.extend(part for part in inner if isinstance(part, dict | list))
        level = following


def json_bytes(value: object) -> bytes:
    """As AWS writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def member_named(shape: Mapping[str, Any], *names: str) -> str:
    """The first of these members that a shape has; "" for none."""
    members = shape.get("members", {})
    return next((name for name in names if name in members), "")
