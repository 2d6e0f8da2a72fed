"""What `relive.toml` says of an event bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from relive_platform.keys import Key
from relive_platform.resources.base import ResourceConfig

__all__ = ["BusConfig"]


class BusConfig(ResourceConfig, frozen=True, tag="bus", kw_only=True):
    """One `[resources.NAME]` with `type = "bus"`. It keeps no data: events are in the queues of functions."""

    KEYS: ClassVar[Mapping[str, Key]] = {}
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ("name", "arn")
