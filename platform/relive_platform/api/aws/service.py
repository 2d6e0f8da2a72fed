"""What an AWS service is to the listener: a name, and an operation for each name of its model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from relive_platform.api.aws.credentials import OWNER

__all__ = ["AwsService", "Call", "Operation", "Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: verified, parsed, and checked against the model.

    `params` has the model's names and Python's types: bytes for blobs, aware datetimes for timestamps.
    `base_url`: the listener as the client wrote it. `headers`: names in lower case. `caller`: OWNER, or the
    application whose function asks.
    """

    operation: str
    params: Mapping[str, Any]
    region: str
    account: str
    request_id: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    protocol: str = ""
    caller: str = OWNER

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or `default`."""
        return self.params.get(name, default)

    def about(self, **params: Any) -> Call:
        """The same request with these parameters only."""
        return replace(self, params=params)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that the model does not make: bytes, at once or as they come."""

    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


Operation = Callable[[Call], Awaitable[Mapping[str, Any] | Reply | None]]
"""Runs on the event loop. Gives the output's members by the model's names (None is left out). Raises
AwsError. It is cancelled when its client has gone."""


class AwsService(Protocol):
    """`name` is the one in a signature's scope. What the model has beyond `operations` is answered with an
    error that says so. `for_functions`: the operations that the functions of an application may call.
    `unchecked`: shapes of the model whose patterns need not fit, as nothing is made of such values."""

    @property
    def name(self) -> str: ...
    @property
    def for_functions(self) -> Collection[str]: ...
    @property
    def unchecked(self) -> Collection[str]: ...
    def operations(self) -> Mapping[str, Operation]: ...
    async def download(self, path: str) -> Reply | None:
        """What lies at a path below /_relive/, for the owner; None if nothing does."""
