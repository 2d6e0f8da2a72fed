"""Who may send: each program of this machine on loopback, but no web page; else who has the token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from relive_platform.signals.receivers.otlp.decoding import Refused

__all__ = ["Entry"]

_OWN_SITE: Final = ("same-origin", "none")


class Entry:
    """Of one listener. `hosts`: names of this machine, beside loopback's, as in RELIVE_ALLOWED_HOSTS."""

    def __init__(self, *, loopback: bool, token: str = "", hosts: Iterable[str] = ()) -> None:
        self._loopback = loopback
        self._token = token.encode()
        self._hosts = frozenset(host.strip("[]").lower() for host in hosts)

    def check(self, headers: Mapping[str, str]) -> None:
        """`headers` by their names in lower case. Raises Refused."""
        if not self._is_known(headers) and not self._loopback:
            raise Refused(401, "the token is missing or another one: send `authorization: Bearer TOKEN`")

    def check_page(self, headers: Mapping[str, str]) -> None:
        """As `check`, for HTTP, which web pages speak, too: one of somebody else's is not let in, and neither
        is one whose name was made to point here. Raises Refused."""
        host = headers.get("host", "")
        if host and not self._is_ours(_name(host)):
            raise Refused(403, f"{_name(host)[:100]!r} is not a name of this server: RELIVE_ALLOWED_HOSTS")
        if headers.get("sec-fetch-site", "none") not in _OWN_SITE or "origin" in headers:
            raise Refused(403, "web pages cannot send telemetry here")
        self.check(headers)

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else headers.get("x-relive-token", "")
        return bool(self._token) and hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    def _is_ours(self, name: str) -> bool:
        if not self._loopback and not self._hosts:
            return True  # the token is what counts there
        if "*" in self._hosts or name in self._hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        if any(
            host.startswith(("*.", ".")) and name.endswith("." + host.lstrip("*.")) for host in self._hosts
        ):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _name(host: str) -> str:
    """Of a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
