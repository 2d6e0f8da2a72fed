"""How functions learn of resources: variables, and `${resources.NAME.ATTRIBUTE}` in their environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from relive_platform.resources.base import ResourceConfig

__all__ = ["expand", "reference_problems", "variable"]

_REFERENCE: Final = re.compile(r"\$\{resources\.([^.}]*)\.?([^}]*)\}")
_ODD: Final = re.compile(r"[^A-Z0-9]")


def variable(name: str, kind: str, attribute: str) -> str:
    """The variable that tells an attribute of a resource: `JOBS_QUEUE_URL`."""
    found = _ODD.sub("_", f"{name}_{kind}_{attribute}".upper())
    return f"_{found}" if found[0].isdigit() else found


def expand(text: str, lookup: Callable[[str, str], str | None]) -> str:
    """`text` with its references replaced; what `lookup(name, attribute)` does not know stays as it is."""

    def found(match: re.Match[str]) -> str:
        value = lookup(match[1], match[2])
        return match[0] if value is None else value

    return _REFERENCE.sub(found, text)


def reference_problems(text: str, resources: Mapping[str, ResourceConfig]) -> Iterator[tuple[str, str]]:
    """Message and hint of each reference that leads nowhere."""
    for match in _REFERENCE.finditer(text):
        name, attribute = match[1], match[2]
        config = resources.get(name)
        if config is None:
            known = ", ".join(resources) or "none"
            yield f"{match[0]}: there is no resource {name!r}", f"this application's resources are: {known}"
        elif attribute not in config.ATTRIBUTES:
            hint = f"a {config.kind} has {', '.join(config.ATTRIBUTES)}"
            yield f"{match[0]}: a {config.kind} has no attribute {attribute!r}", hint
