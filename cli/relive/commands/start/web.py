"""`relive web`."""

from __future__ import annotations

import ipaddress
import secrets
from typing import TYPE_CHECKING

import click
from relive_base.errors import ReliveError, UsageError

from relive.output import echo
from relive.session import Session

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["web"]

_PORT = 8790


@click.command()
@click.option(
    "--http",
    "address",
    default=f"127.0.0.1:{_PORT}",
    show_default=True,
    help="HOST:PORT; port 0 picks a free one.",
)
@click.pass_obj
def web(session: Session, address: str) -> None:
    """Pages for the browser: failures, traces, profiles, heaps, metrics. Read-only; each page has an address
    to paste into a ticket.

    The address that is printed lets one browser in, once. Others give the home's token.

    \b
    relive web
    relive web --http 127.0.0.1:0
    """
    host, port = _address(address)
    try:
        from relive_web.guard import Doorkeeper
        from relive_web.reader import Reader
        from relive_web.serving import listen, serve_pages
    except ImportError as error:
        raise UsageError(
            f"the pages need {error.name}, which is not installed", hint="pip install 'relive[web]'"
        ) from error
    # A home without a token is opened by codes alone.
    doorkeeper = Doorkeeper(session.gateway_token() or secrets.token_urlsafe(32))
    stores = _Stores(session)
    stores.open(anew=False)  # what is wrong with it is said here
    try:
        listener = listen(host, port)
    except OSError as error:
        raise ReliveError(
            f"cannot listen on {address}: {error.strerror}", hint="choose another port with --http"
        ) from error
    shown = f"[{host}]" if ":" in host else host
    at = f"http://{shown}:{listener.getsockname()[1]}"
    echo(f"{at}/login?code={doorkeeper.code()}")
    echo(f"  opens the pages of {session.home} in one browser; Ctrl-C ends them", err=True)
    reader = Reader(stores.open, session.scenes_dir, stores.names)
    try:
        serve_pages(listener, host, reader, doorkeeper)
    finally:
        stores.close()


class _Stores:
    """The store, opened again when the server has gone and come back."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, *, anew: bool) -> Store:
        """Raises ReliveError."""
        if anew:
            before = self._session
            self._session = Session.create(before.home, before.server, before.environment)
            before.close()
        return self._session.store()

    def names(self) -> set[str]:
        """Functions in service, and those of which something is recorded."""
        from relive.recorded.listing import function_names

        return set(function_names(self._session))

    def close(self) -> None:
        """Idempotent."""
        self._session.close()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"{text!r} is no address", hint=f"give HOST:PORT, such as 127.0.0.1:{_PORT}")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise UsageError(
            f"{host} can be reached by others, and these pages speak plain HTTP",
            hint=f"forward the port instead: ssh -L {_PORT}:127.0.0.1:{_PORT} HOST",
        )
    return host, int(port)
