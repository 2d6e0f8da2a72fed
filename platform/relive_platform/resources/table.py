"""Every kind of resource. A new one: a folder with its config and its provider, a line here, and one in
`server/resources.py`."""

from __future__ import annotations

from typing import Final

from relive_platform.resources.base import ResourceConfig
from relive_platform.resources.bucket.config import BucketConfig
from relive_platform.resources.bus.config import BusConfig
from relive_platform.resources.database.config import DatabaseConfig
from relive_platform.resources.queue.config import QueueConfig

__all__ = ["KINDS"]

KINDS: Final[dict[str, type[ResourceConfig]]] = {
    "queue": QueueConfig,
    "bucket": BucketConfig,
    "bus": BusConfig,
    "database": DatabaseConfig,
}
"""By the `type` of `[resources.NAME]`."""
