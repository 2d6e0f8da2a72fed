"""Who may invoke: a client with the token, anybody for public routes, and on loopback every program, but no
web page of somebody else.

A browser runs code of strangers on this very machine. It gives itself away by a `Host` that is not ours (a
name that was made to point here), by `Origin` and by `Sec-Fetch-Site`.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable
from typing import Final, TypeVar

from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.origins import parse_origin
from relive_platform.triggers.http.proxies import Proxies

__all__ = ["Access", "ForeignPage", "Unauthorized", "UnexpectedHost", "navigates"]

_Key = TypeVar("_Key")
_KEPT: Final = 1_024
_KEPT_BYTES: Final = 256
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(?::([0-9]{0,5}))?")
_OWN_SITE: Final = (b"same-origin", b"none")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


_WEB: Final = re.compile(r"(?:^|;)\s*relive_web=[^;]*")
"""The session of `relive web`, which browsers send to every port of this host."""


def _own_cookies(text: str) -> str:
    """Without what functions have no business with."""
    return _WEB.sub("", text).lstrip("; ") if "relive_web=" in text else text


class Unauthorized(Exception):
    """The token is missing or another one."""


class UnexpectedHost(Exception):
    """The request names a host that is not this server. Its argument is that name."""


class ForeignPage(Exception):
    """A web page of another origin sent the request, and the function does not allow it. Its argument says
    what would, if that is not `cors`."""


class Access:
    """The rules of one gateway. `loopback`: no other machine can reach it; then no token is needed."""

    def __init__(
        self,
        *,
        loopback: bool = True,
        token: str = "",
        hosts: Iterable[str] = (),
        proxies: Iterable[str] = (),
    ) -> None:
        self.loopback = loopback
        self.proxies = Proxies(proxies)
        self._token = token.encode()
        self._patterns = tuple(host.lower() for host in hosts)
        self._any_host = "*" in self._patterns or not (loopback or self._patterns)
        self._hosts: dict[bytes | None, bool] = {}
        self._same: dict[tuple[bytes, bytes], bool] = {}

    # ------------------------------------------------------------ host

    def check_host(self, host: bytes | None) -> None:
        """Raises UnexpectedHost. None: an old client that does not say; no browser is one."""
        fits = self._hosts.get(host)
        if fits is None:
            fits = self._any_host or host is None or self._fits(host)
            if host is None or len(host) <= _KEPT_BYTES:
                _keep(self._hosts, host, fits)
        if not fits:
            raise UnexpectedHost((host or b"").decode("latin-1")[:_KEPT_BYTES])

    def _fits(self, host: bytes) -> bool:
        match = _HOST.fullmatch(host.decode("latin-1"))
        if match is None:
            return False
        name = match[1].lower().rstrip(".")
        for pattern in self._patterns:
            if name == pattern.strip("[]") or name.strip("[]") == pattern.strip("[]"):
                return True
            if pattern.startswith(("*.", ".")) and name.endswith("." + pattern.lstrip("*.")):
                return True
        return _is_own(name)

    # ------------------------------------------------------------ token

    def authorise(self, head: Head) -> bool:
        """Whether the client may call what is not public. The token is taken off the headers: the function
        has no business with it."""
        special = head.special
        token = self._token
        known = False
        if token and "x-relive-token" in special:
            known = hmac.compare_digest(special["x-relive-token"], token)
            head.pairs = [pair for pair in head.pairs if pair[0] != "x-relive-token"]
        if token and "authorization" in special:
            scheme, _, given = special["authorization"].partition(b" ")
            if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token):
                known = True
                head.pairs = [pair for pair in head.pairs if pair[0] != "authorization"]
        if "cookie" in special:
            head.pairs = [
                (name, _own_cookies(text) if name == "cookie" else text) for name, text in head.pairs
            ]
        return known or self.loopback

    # ------------------------------------------------------------ origin

    def foreign(self, special: dict[str, bytes]) -> bool:
        """Whether a web page of another origin sent the request."""
        site = special.get("sec-fetch-site")
        if site is not None and site not in _OWN_SITE:
            return True
        origin = special.get("origin")
        if origin is None:
            page = special.get("referer")
            if site is not None or page is None:
                return False
            origin = b"/".join(page.split(b"/", 3)[:3])  # an older browser says no more than this
        host = special.get("host", b"")
        same = self._same.get((origin, host))
        if same is None:
            same = _is_same(origin, host)
            if len(origin) + len(host) <= _KEPT_BYTES:
                _keep(self._same, (origin, host), same)
        return not same


def navigates(head: Head) -> bool:
    """Whether a browser's user goes there by a link or a redirect, in a window of its own: the page before
    cannot read the answer, and chooses no more than the URL."""
    special = head.special
    return (
        head.method in ("GET", "HEAD")
        and special.get("sec-fetch-mode") == b"navigate"
        and special.get("sec-fetch-dest", b"document") == b"document"
        and "upgrade" not in special
    )


def _keep(kept: dict[_Key, bool], key: _Key, value: bool) -> None:
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = value


def _is_own(name: str) -> bool:
    """A name or address that no DNS server can point elsewhere or here."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_same(origin: bytes, host: bytes) -> bool:
    """Whether a page of `origin` talks to its own server. TLS may have ended before us."""
    page = parse_origin(origin.decode("latin-1"))
    match = _HOST.fullmatch(host.decode("latin-1"))
    if page is None or match is None or page.host != match[1].lower():
        return False
    port = int(match[2]) if match[2] else _DEFAULT_PORTS.get(page.scheme, -1)
    return page.port == port
