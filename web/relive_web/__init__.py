"""Read-only pages of a home in the browser: each has an address of its own, to paste into a ticket."""

from __future__ import annotations

from relive_web.app import create_app
from relive_web.guard import Doorkeeper
from relive_web.reader import Reader

__all__ = ["Doorkeeper", "Reader", "create_app"]
