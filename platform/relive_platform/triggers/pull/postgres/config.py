"""What `relive.toml` says of a PostgreSQL database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from relive_platform.triggers.base import Key
from relive_platform.triggers.pull.config import COMMON, PullTrigger

__all__ = ["OPERATIONS", "PostgresTrigger"]

OPERATIONS: Final = ("insert", "update", "delete", "truncate")
_SLOT: Final = re.compile(r"[a-z0-9_]{1,63}")


class PostgresTrigger(PullTrigger, frozen=True, tag="postgres", kw_only=True):
    """Changes of tables, by a logical replication slot; or the rows of an outbox table, which are deleted
    once they are safe here."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        **COMMON,
        "tables": Key("texts", "Tables whose changes are events, as in public.orders."),
        "operations": Key("texts", "Of insert, update, delete, truncate. Default: all."),
        "outbox": Key("text", "A table whose rows are events, and are deleted; instead of `tables`."),
        "order_by": Key("text", "Column of the outbox that rows are taken by. Default: its primary key."),
        "trace_column": Key("text", "Column with a W3C traceparent."),
        "slot": Key("text", "Replication slot. Default: one of the function's own."),
        "publication": Key("text", "One that exists, instead of `tables`."),
        "channel": Key("text", "NOTIFY on this channel makes Relive look at once."),
        "poll_s": Key("number", "How often Relive looks.", low=0.01, high=3_600),
        "max_lag_mb": Key("whole", "WAL that the slot may keep back before it is over its limit.", low=1),
        "over_lag": Key("text", "What happens over the limit.", choices=("warn", "drop")),
    }
    SCHEMES: ClassVar[tuple[str, ...]] = ("postgres", "postgresql")
    IN_FLIGHT: ClassVar[int] = 1

    tables: tuple[str, ...] = ()
    operations: tuple[str, ...] = OPERATIONS
    outbox: str = ""
    order_by: str = ""
    trace_column: str = ""
    slot: str = ""
    publication: str = ""
    channel: str = ""
    poll_s: float = 0.2
    max_lag_mb: int = 1_024
    over_lag: str = "warn"

    @property
    def place(self) -> str:
        if self.outbox:
            return f"outbox {self.outbox}"
        return ",".join(self.tables) or f"publication {self.publication}"

    @property
    def identity(self) -> str:
        """With other tables it is the same slot, which goes on where it was."""
        return f"outbox {self.outbox}" if self.outbox else f"slot {self.slot}"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from super().problems()
        given = sum(map(bool, (self.tables, self.outbox, self.publication)))
        if given != 1:
            yield (
                "tables" if given else "type",
                "a postgres trigger is about one of `tables`, `publication` and `outbox`",
                'write as in tables = ["public.orders"]',
            )
        for operation in self.operations:
            if operation not in OPERATIONS:
                yield "operations", f"{operation!r} is not known", f"use of {', '.join(OPERATIONS)}"
        if not self.operations:
            yield "operations", "no operation is named", f"use of {', '.join(OPERATIONS)}"
        if self.slot and not _SLOT.fullmatch(self.slot):
            yield "slot", f"{self.slot!r} is not a slot's name", "use a-z, 0-9 and _"
        if self.outbox and (self.slot or self.operations != OPERATIONS):
            yield "outbox", "an outbox has neither a slot nor operations", "leave them out"
