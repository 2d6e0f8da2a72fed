"""A service's model, as botocore brings it."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from relive_base.errors import ReliveError

__all__ = ["BotocoreMissing", "ServiceModel", "load"]


class BotocoreMissing(ReliveError):
    """The models come with botocore, which is not installed."""


class ServiceModel:
    """What `service-2.json` says. Shapes stay plain dicts: they are read once, when they are compiled."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.metadata: dict[str, Any] = document["metadata"]
        self.operations: dict[str, dict[str, Any]] = document["operations"]
        self.shapes: dict[str, dict[str, Any]] = document["shapes"]

    @property
    def signing_name(self) -> str:
        """The service in a signature's scope."""
        return str(self.metadata.get("signingName", self.metadata["endpointPrefix"]))

    @property
    def protocol(self) -> str:
        """Of the wire: "rest-json", "json" or "query"."""
        return str(self.metadata["protocol"])

    def shape_of(self, operation: str, side: str) -> str:
        """Name of an operation's "input" or "output" shape; "" if it has none."""
        return str(self.operations[operation].get(side, {}).get("shape", ""))

    def http(self, operation: str) -> dict[str, Any]:
        """Method, requestUri and responseCode."""
        found: dict[str, Any] = self.operations[operation]["http"]
        return found


@functools.lru_cache(8)
def load(service: str) -> ServiceModel:
    """The newest model of a service: "lambda", "sqs". Read once for a process. Raises BotocoreMissing."""
    try:
        import botocore
    except ImportError as error:
        raise BotocoreMissing(
            "the AWS API needs botocore, which is not installed", hint="pip install 'relive[aws]'"
        ) from error
    folder = Path(botocore.__file__).parent / "data" / service
    versions = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for version in reversed(versions):
        for name in ("service-2.json.gz", "service-2.json"):
            path = folder / version / name
            if path.is_file():
                raw = path.read_bytes()
                return ServiceModel(json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw))
    raise BotocoreMissing(f"this botocore has no model of {service!r}", hint="pip install -U botocore")
