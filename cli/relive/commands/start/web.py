"""`relive web`."""

from __future__ import annotations

import secrets

import click
from relive_base.errors import UsageError

from relive.arguments.loopback import listen, loopback_address
from relive.output import echo
from relive.recorded.stores import Stores
from relive.session import Session

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
    host, port = loopback_address(address, _PORT, "these pages")
    try:
        from relive_web.guard import Doorkeeper
        from relive_web.reader import Reader
        from relive_web.serving import serve_pages
    except ImportError as error:
        raise UsageError(
            f"the pages need {error.name}, which is not installed", hint="pip install 'relive[web]'"
        ) from error
    # A home without a token is opened by codes alone.
    doorkeeper = Doorkeeper(session.gateway_token() or secrets.token_urlsafe(32))
    stores = Stores(session)
    stores.open(anew=False)  # what is wrong with it is said here
    listener = listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    at = f"http://{shown}:{listener.getsockname()[1]}"
    echo(f"{at}/login?code={doorkeeper.code()}")
    echo(f"  opens the pages of {session.home} in one browser; Ctrl-C ends them", err=True)
    reader = Reader(stores.open, session.scenes_dir, stores.names)
    try:
        serve_pages(listener, host, reader, doorkeeper)
    finally:
        stores.close()
