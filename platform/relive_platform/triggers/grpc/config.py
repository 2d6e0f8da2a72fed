"""What `relive.toml` says of a function's callers over gRPC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from relive_platform.triggers.base import Claim, Key, TriggerConfig

__all__ = ["GrpcTrigger"]


class GrpcTrigger(TriggerConfig, frozen=True, tag="grpc", kw_only=True):
    """A port of its own for a gRPC service: HTTP/2 without TLS."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "port": Key(
            "whole", "Where clients connect, on the gateway's address.", required=True, low=1, high=65_535
        ),
    }

    port: int

    def describe(self) -> str:
        """As people read it: "grpc :50051"."""
        return f"grpc :{self.port}"

    def claims(self) -> Iterator[Claim]:
        taken = f"port {self.port} is already the one"
        yield Claim("port", str(self.port), "port", taken, "give one of them another port")
