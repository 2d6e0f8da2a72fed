"""Which queue's messages go to which function, and how."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["MappingReport", "QueueMapping"]


class QueueMapping(msgspec.Struct, frozen=True, kw_only=True):
    """One mapping of a queue to a function: of a trigger in relive.toml, or made by Lambda's API. `queue` is
    SQS's name of it."""

    uuid: str
    function: str
    queue: str
    qualifier: str = ""  # a version or an alias; "" is what is in service
    batch_size: int = 10
    batch_window_s: float = 0.0
    enabled: bool = True
    report_batch_item_failures: bool = False
    max_concurrency: int = 4
    filters: tuple[dict[str, Any], ...] = ()
    problem: str = ""  # why it cannot be worked on


class MappingReport(msgspec.Struct, kw_only=True):
    """How a mapping does. `problem`: why nothing comes of it now; counts since the server's start."""

    uuid: str
    function: str
    queue: str
    enabled: bool = True
    problem: str = ""
    last_result: str = ""  # "OK", or what the last batch failed with
    running: int = 0
    batches: int = 0
    messages: int = 0
    failed: int = 0
    filtered: int = 0
    held: int = 0  # received, and not yet done
