"""The application: routes behind the guard."""

from __future__ import annotations

from relive_base.errors import ReliveError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from relive_web.guard import Doorkeeper, Guard
from relive_web.pages import Pages
from relive_web.reader import Reader

__all__ = ["create_app"]


def create_app(reader: Reader, doorkeeper: Doorkeeper, hosts: frozenset[str]) -> Starlette:
    """`hosts`: what browsers may call this server, "127.0.0.1:8790"."""
    pages = Pages(reader, doorkeeper)
    return Starlette(
        routes=[
            Route("/", pages.failures, name="failures"),
            Route("/login", pages.login, methods=["GET", "POST"], name="login"),
            Route("/static/style.css", pages.style),
            Route("/failures/{ident}", pages.failure),
            Route("/invocations", pages.invocations),
            Route("/traces/{ident}", pages.trace),
            Route("/flames/{subject}", pages.flame),
            Route("/heaps/{ident}", pages.heap),
            Route("/metrics", pages.metrics),
        ],
        middleware=[Middleware(Guard, doorkeeper=doorkeeper, hosts=hosts)],
        exception_handlers={ReliveError: pages.problem, 404: pages.nothing},
    )
