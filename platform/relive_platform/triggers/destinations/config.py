"""What `relive.toml` says of destinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from relive_platform.names import NAME, NAME_HINT

__all__ = ["DESTINATION_KINDS", "Destination", "destination_problems"]

DESTINATION_KINDS: Final = ("function", "queue", "bus", "webhook")
_MAX_URL: Final = 2_048


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """`on_success` or `on_failure` of a function; one of these says where to."""

    function: str = ""
    queue: str = ""
    bus: str = ""
    webhook: str = ""

    @property
    def kind(self) -> str:
        """Which one it is."""
        return next(kind for kind in DESTINATION_KINDS if getattr(self, kind))

    @property
    def address(self) -> str:
        """What its events are sent to: a function's name, or "queue:NAME" and the like. Of a webhook, whose
        path may be a secret, only the host is shown where events are listed."""
        if self.webhook:
            place = urlsplit(self.webhook)
            return f"webhook:{place.scheme}://{place.netloc.rpartition('@')[2]}"
        return self.function or f"{self.kind}:{getattr(self, self.kind)}"


def destination_problems(table: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Message and hint of what is wrong with one."""
    hint = 'write { function = "NAME" }, { queue = "NAME" }, { bus = "NAME" } or { webhook = "https://..." }'
    if len(table) != 1 or next(iter(table)) not in DESTINATION_KINDS:
        yield f"a destination is one of {', '.join(DESTINATION_KINDS)}", hint
        return
    ((kind, value),) = table.items()
    if kind != "webhook":
        if not NAME.fullmatch(value.removesuffix(".fifo") if kind == "queue" else value):
            yield f"the {kind}'s name {value!r} is not allowed", NAME_HINT
        return
    try:
        found = urlsplit(value)
        good = found.scheme in ("http", "https") and found.hostname and found.port is not False
    except ValueError:
        good = False
    if not good or not value.isascii() or not value.isprintable() or " " in value or len(value) > _MAX_URL:
        yield f"{value[:200]!r} is not the URL of a webhook", "write https://HOST/PATH"
