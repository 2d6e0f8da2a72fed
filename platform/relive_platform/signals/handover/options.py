"""What the collector's process is told by the server's settings."""

from __future__ import annotations

import msgspec

__all__ = ["CollectorOptions"]


class CollectorOptions(msgspec.Struct, kw_only=True):
    """What the process needs of the server's settings."""

    store_url: str
    spool_dir: str
    scenes_dir: str
    subscriptions_dir: str = ""  # the outbox of records that functions want to hear of
    subscription_bytes: int = 64 * 1_048_576  # that may wait in it
    days: dict[str, int] = {}  # that the tables keep rows for; {}: as the store has them
    flush_s: float = 0.25
    flush_rows: int = 10_000
    spool_bytes: int = 1 << 30
    scenes: int = 10_000
    scenes_bytes: int = 2 << 30
    scenes_days: float = 30.0
    heap_bytes: int = 32 * 1_048_576
    redact_keys: tuple[str, ...] = ()
    otlp: str = ""
    otlp_protocol: str = ""
    otlp_headers: dict[str, str] = {}
    otlp_timeout_s: float = 10.0
    otlp_queue_limit: int = 50_000
    journal_dir: str = ""  # of this run of the server and of earlier ones
    run_dir: str = ""  # of the server, whose workers' heaps are below it
    run: int = 0  # 0: none, only what earlier ones have left
