"""From results to JSON values: each shape becomes a function that writes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from relive_platform.api.aws.model.loading import ServiceModel

__all__ = ["UnknownMember", "Write", "Writer"]

Write = Callable[[Any], Any]


class UnknownMember(Exception):
    """A result has what its shape does not: a fault of ours."""


class Writer:
    """Compiles shapes, each once."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._known: dict[str, Write] = {}

    def of(self, shape: str) -> Write:
        """The function that writes a shape."""
        found = self._known.get(shape)
        if found is None:
            self._known[shape] = lambda value: self._known[shape](value)
            found = self._known[shape] = self._compile(shape)
        return found

    def _compile(self, name: str) -> Write:
        shape = self._model.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            return self._structure(name, shape)
        if kind == "list":
            member = self.of(shape["member"]["shape"])
            return lambda value: [member(entry) for entry in value]
        if kind == "map":
            entry = self.of(shape["value"]["shape"])
            return lambda value: {name: entry(inner) for name, inner in value.items()}
        if kind == "blob":
            return lambda value: base64.b64encode(value).decode()
        if kind == "timestamp":
            return lambda value: value.timestamp() if isinstance(value, datetime) else value
        return lambda value: value

    def _structure(self, shape_name: str, shape: dict[str, Any]) -> Write:
        """What goes elsewhere than into the body is left out here."""
        members = {
            name: (str(member.get("locationName", name)), self.of(member["shape"]))
            for name, member in shape.get("members", {}).items()
            if member.get("location") is None
        }
        elsewhere = set(shape.get("members", {})) - set(members)

        def write(value: Any) -> Any:
            written = {}
            for name, given in value.items():
                if given is None or name in elsewhere:
                    continue
                found = members.get(name)
                if found is None:
                    raise UnknownMember(f"{shape_name} has no member {name!r}")
                written[found[0]] = found[1](given)
            return written

        return write
