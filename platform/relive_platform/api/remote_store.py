"""Reading a store through the control API of a server that is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from relive_base.errors import Refused
from relive_store import Columns

from relive_platform.api.client import ControlClient

__all__ = ["RemoteStore"]

_HINT = "a store is written by its own server only"


class RemoteStore:
    """A read-only Store over `Query` of the control API."""

    engine = "remote"

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self.url = f"grpc://{client.address}"

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        timeout_s: float = 30.0,
        max_rows: int = 1_000_000,
        read_only: bool = True,
        query_id: str = "",
        bytes_columns: Sequence[str] = (),
    ) -> Columns:
        """As Store.query. `query_id` is not carried over: a query that is given up ends with its call."""
        if not read_only:
            raise Refused("a remote store is read-only", hint=_HINT)
        names: tuple[str, ...] = ()
        types: tuple[str, ...] = ()
        data: list[list[object]] = []
        batches = self._client.query(
            sql, parameters, timeout_s=timeout_s, max_rows=max_rows, bytes_columns=tuple(bytes_columns)
        )
        for batch in batches:
            if batch.names:
                names, types = tuple(batch.names), tuple(batch.types)
                data = [[] for _ in names]
            columns: list[list[object]] = msgspec.msgpack.decode(batch.columns_msgpack)
            for whole, part in zip(data, columns, strict=True):
                whole.extend(part)
        return Columns(names, types, data)

    def insert(
        self, table: str, columns: Mapping[str, Sequence[object]], *, token: str = "", timeout_s: float = 60.0
    ) -> int:
        """Refused."""
        raise Refused(f"{table} cannot be written from here", hint=_HINT)

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float = 60.0
    ) -> None:
        """Refused."""
        raise Refused("a remote store is read-only", hint=_HINT)

    def cancel(self, query_id: str) -> bool:
        """False: see `query`."""
        return False

    def migrate(self) -> list[str]:
        """Refused."""
        raise Refused("a remote store migrates itself", hint=_HINT)

    def close(self) -> None:
        """The client belongs to the caller."""
