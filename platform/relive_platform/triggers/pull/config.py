"""What `relive.toml` says of every trigger that pulls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from relive_platform.server_urls import problems_of, shown
from relive_platform.triggers.base import Key, TriggerConfig

__all__ = ["COMMON", "PullTrigger"]

MAX_BATCH: Final = 10_000
COMMON: Final[Mapping[str, Key]] = {
    "url": Key("text", 'Its address, or "env:NAME" for one in the server\'s environment.', required=True),
    "batch_size": Key("whole", "Records in one event at most. Default: 100.", low=1, high=MAX_BATCH),
    "batch_window_s": Key("number", "How long a batch waits to become full. Default: 0.", low=0, high=300),
    "shape": Key("text", "What an event looks like.", choices=("default", "cloudevents")),
    "in_flight": Key("whole", "Batches that wait or run at once, by lane.", low=1, high=1_000),
}


class PullTrigger(TriggerConfig, frozen=True, kw_only=True):
    """Records of a server that others run. `in_flight` 0: what suits the kind."""

    SCHEMES: ClassVar[tuple[str, ...]] = ()
    IN_FLIGHT: ClassVar[int] = 8

    url: str
    batch_size: int = 100
    batch_window_s: float = 0.0
    shape: str = "default"
    in_flight: int = 0

    @property
    def kind(self) -> str:
        """Its type in `relive.toml`."""
        return str(type(self).__struct_config__.tag)

    @property
    def place(self) -> str:
        """What of the server it is about, without the address."""
        raise NotImplementedError

    @property
    def identity(self) -> str:
        """What its positions are positions of: for as long as this stays, it goes on where it was."""
        return self.place

    @property
    def batches(self) -> int:
        """How many batches of a lane may wait or run at once."""
        return self.in_flight or self.IN_FLIGHT

    def tag(self, function: str) -> str:
        """What its positions are kept under: the same for as long as it is about the same place."""
        text = f"{self.kind}\0{function}\0{self.url}\0{self.identity}"
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from problems_of(self.url, self.SCHEMES)

    def describe(self) -> str:
        """As people read it: "redis stream orders"."""
        text = f"{self.kind} {self.place} at {shown(self.url)}"
        return "".join(sign if sign.isprintable() else "?" for sign in text)
