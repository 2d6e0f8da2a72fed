"""Databases that answer from the recording: no connection is opened, and objects are of the libraries' own
classes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.recording.imports import Patch, standard

if TYPE_CHECKING:
    from types import ModuleType

    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["played_databases"]

_HERE: Final = __name__
_LIBRARIES: Final = {
    "asyncpg.connect_utils": "asyncpg_calls",
    "psycopg": "psycopg_calls",
    "psycopg2": "psycopg2_calls",
    "pymysql.connections": "pymysql_calls",
    "sqlite3": "sqlite_calls",
}
_STANDARD: Final = ("sqlite3",)


def played_databases(player: PlayedCalls) -> dict[str, Patch]:
    """For `when_imported`: what plays each library, by the module that is waited for."""
    return {
        name: standard(_patch(player, own)) if name in _STANDARD else _patch(player, own)
        for name, own in _LIBRARIES.items()
    }


def _patch(player: PlayedCalls, name: str) -> Patch:
    def patch(module: ModuleType) -> None:
        own: Any = importlib.import_module(f"{_HERE}.{name}")
        own.play(player, module)

    return patch
