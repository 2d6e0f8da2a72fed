"""Which store a URL means."""

from __future__ import annotations

from relive_base.addresses import without_password
from relive_base.errors import UsageError

from relive_store.interface import Store
from relive_store.process.client import UnixStore

__all__ = ["open_store"]


def open_store(url: str) -> Store:
    """The store at `url`; nothing is connected yet, but for chdb:///, which opens its directory.

    chdb:///directory            the embedded engine in this process (needs the directory for itself alone)
    unix:///path/store.sock      the embedded engine, in its store process
    clickhouse://user:password@host:9000/database      a server (clickhouses:// with TLS)

    Raises UsageError for any other URL, StoreUnavailable if the directory is in use.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "unix" and rest:
        return UnixStore(rest)
    if scheme == "chdb" and rest:
        from relive_store.embedded.engine import ChdbStore

        return ChdbStore(rest)
    if scheme in ("clickhouse", "clickhouses") and rest:
        from relive_store.clickhouse import ClickHouseStore

        return ClickHouseStore(url)
    raise UsageError(
        f"not a store: {without_password(url)!r}",
        hint="use chdb:///directory, unix:///socket or clickhouse://user@host:9000/database",
    )
