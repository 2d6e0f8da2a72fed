"""Reverse proxies before the gateway: whose word on scheme and client address counts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from relive_platform.triggers.http.connections.head import Head

__all__ = ["Proxies"]

_KEPT: Final = 1_024
_SCHEMES: Final = {b"http": "http", b"https": "https"}


class Proxies:
    """The addresses of trusted proxies: `127.0.0.1`, `10.0.0.0/8`, `unix` for a unix socket's other end."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        given = [address.strip() for address in addresses]
        self._unix = "unix" in given
        self._networks = [
            ipaddress.ip_network(address, strict=False) for address in given if address != "unix"
        ]
        self._known: dict[str, bool] = {}

    def trusts(self, client: str) -> bool:
        """Whether `client` is one of them."""
        known = self._known.get(client)
        if known is None:
            known = self._contains(client)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[client] = known
        return known

    def _contains(self, client: str) -> bool:
        if not client:
            return self._unix
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def look(self, head: Head) -> None:
        """Put into `head` what a trusted proxy says of its client; drop what anybody else claims."""
        special = head.special
        if not self.trusts(head.client):
            head.pairs = [pair for pair in head.pairs if not pair[0].startswith("x-forwarded-")]
            return
        proto = special.get("x-forwarded-proto", b"").rpartition(b",")[2].strip().lower()
        head.scheme = _SCHEMES.get(proto, head.scheme)
        for text in reversed(special.get("x-forwarded-for", b"").decode("latin-1").split(",")):
            client = text.strip()
            if not _is_address(client):
                break
            head.client = client
            if not self.trusts(client):
                break


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
