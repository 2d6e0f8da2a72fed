"""Requests that one worker of a service runs at once, if its configuration does not say."""

from __future__ import annotations

from typing import Final

__all__ = ["ASGI_CAPACITY", "ASGI_SOCKETS", "WSGI_CAPACITY"]

ASGI_CAPACITY: Final = 100
WSGI_CAPACITY: Final = 16
ASGI_SOCKETS: Final = 500
"""Websockets beside these."""
