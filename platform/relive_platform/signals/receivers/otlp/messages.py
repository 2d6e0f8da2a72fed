"""What the receiver's process is told by the server's settings, and what it says of itself."""

from __future__ import annotations

import msgspec

__all__ = ["FlushOtlp", "OtlpOptions", "OtlpState"]


class OtlpOptions(msgspec.Struct, kw_only=True):
    """`grpc`, `http`: HOST:PORT, "" for none."""

    store_url: str
    spool_dir: str
    grpc: str = ""
    http: str = ""
    journal_dir: str = ""  # where what is not spooled yet is kept across a kill; "": nowhere
    home: str = ""
    token: str = ""
    hosts: tuple[str, ...] = ()
    redact_keys: tuple[str, ...] = ()
    days: dict[str, int] = {}  # that the tables keep rows for; {}: as the store has them
    body_bytes: int = 8 * 1_048_576
    spool_bytes: int = 1 << 28
    flush_s: float = 0.25
    flush_rows: int = 10_000


class FlushOtlp(msgspec.Struct, array_like=True):
    """Have everything in the store; the answer is a state whose `flushed` is at least `number`."""

    number: int
    timeout_s: float


class OtlpState(msgspec.Struct, array_like=True):
    """`grpc`, `http`: where it listens, "" if it does not; then `problems` says why. Records are spans, log
    records and data points; `taken` by signal, `refused` by why, since the process began."""

    grpc: str = ""
    http: str = ""
    problems: list[str] = []
    requests: int = 0
    malformed: int = 0
    held_back: int = 0
    taken: dict[str, int] = {}
    refused: dict[str, int] = {}
    written_rows: int = 0
    waiting_rows: int = 0
    dropped_rows: int = 0
    last_error: str = ""
    flushed: int = 0
    too_large: int = 0
    turned_away: int = 0
