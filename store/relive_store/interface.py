"""The one interface to ClickHouse, whichever engine is behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from relive_store.columns import Columns

__all__ = ["DEFAULT_MAX_ROWS", "DEFAULT_TIMEOUT_S", "INSERT_CHUNK_ROWS", "ColumnData", "Store"]

DEFAULT_TIMEOUT_S = 30.0
DEFAULT_MAX_ROWS = 1_000_000
INSERT_CHUNK_ROWS = 65_536
"""An insert is cut into blocks of this many rows: large enough for few parts, small enough for bounded
memory."""

ColumnData = Mapping[str, Sequence[object]]


class Store(Protocol):
    """ClickHouse. All methods may be called from several threads at once."""

    url: str
    engine: str  # "chdb" | "clickhouse"

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_rows: int = DEFAULT_MAX_ROWS,
        read_only: bool = True,
        query_id: str = "",
        bytes_columns: Sequence[str] = (),
    ) -> Columns:
        """The result of one statement with `{name:Type}` parameters.

        `bytes_columns` come as bytes, all other strings as str (what is not UTF-8 is replaced).
        Raises QueryError, QueryLimit (over `max_rows`), QueryTimeout, QueryCancelled, StoreUnavailable.
        """
        ...

    def insert(self, table: str, columns: ColumnData, *, token: str = "", timeout_s: float = 60.0) -> int:
        """Append rows, given as columns of the same length; returns how many. Columns left out get their
        default.

        With a `token`, inserting the same rows again under it does nothing. A failure may leave some
        blocks of INSERT_CHUNK_ROWS behind: repeat with the token. Raises as `query`.
        """
        ...

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float = 60.0
    ) -> None:
        """One statement without a result: DDL and maintenance. Raises as `query`."""
        ...

    def cancel(self, query_id: str) -> bool:
        """Stop the query that was given this id; False if none is running."""
        ...

    def migrate(self) -> list[str]:
        """Bring the schema up to this version; the names of what was applied. Raises SchemaError."""
        ...

    def close(self) -> None:
        """Give back connections. May be called twice."""
        ...
