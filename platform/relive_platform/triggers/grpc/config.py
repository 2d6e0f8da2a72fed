"""What `relive.toml` says of a function's callers over gRPC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from relive_platform.triggers.base import Claim, Key, TriggerConfig

__all__ = ["GrpcTrigger"]


class GrpcTrigger(TriggerConfig, frozen=True, tag="grpc", kw_only=True):
    """Where a gRPC service is reached, by HTTP/2 without TLS: at a port of its own, or, if it names none, at
    that of HTTP, which one service of a server can have."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "port": Key(
            "whole",
            "Where clients connect, on the gateway's address. Default: the gateway's own port.",
            low=1,
            high=65_535,
        ),
    }

    port: int = 0

    def describe(self) -> str:
        """As people read it: "grpc :50051"."""
        return f"grpc :{self.port}" if self.port else "grpc at the port of HTTP"

    def claims(self) -> Iterator[Claim]:
        if not self.port:
            taken = "gRPC at the port of HTTP is already that"
            yield Claim("port", "of HTTP", "port", taken, "give one of them a port of its own")
            return
        taken = f"port {self.port} is already the one"
        yield Claim("port", str(self.port), "port", taken, "give one of them another port")
