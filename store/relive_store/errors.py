"""What can go wrong in the store. Every message names the hint."""

from __future__ import annotations

from relive_base.errors import ExitCode, ReliveError

__all__ = [
    "ERROR_KINDS",
    "QueryCancelled",
    "QueryError",
    "QueryLimit",
    "QueryTimeout",
    "SchemaError",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
]


class StoreError(ReliveError):
    """The store could not do what was asked."""


class QueryError(StoreError):
    """The engine refused a statement: bad SQL, unknown table, data of the wrong type. Trying again will
    not help."""


class QueryLimit(QueryError):
    """A statement went over one of its limits: rows, bytes or memory."""

    exit_code = ExitCode.REFUSED


class QueryTimeout(StoreError):
    """A statement did not finish in time."""


class QueryCancelled(StoreError):
    """A statement was cancelled."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, or went away before it answered. Trying again may help."""

    exit_code = ExitCode.UNREACHABLE


class StoreRefused(StoreError):
    """The store process does not know this client: its token is missing or wrong."""

    exit_code = ExitCode.REFUSED


class SchemaError(StoreError):
    """The schema of the store does not fit this version of Relive."""


ERROR_KINDS: dict[str, type[StoreError]] = {
    kind.__name__: kind
    for kind in (
        StoreError,
        QueryError,
        QueryLimit,
        QueryTimeout,
        QueryCancelled,
        StoreRefused,
        StoreUnavailable,
        SchemaError,
    )
}
"""By name, as the wire of the store process carries them."""
