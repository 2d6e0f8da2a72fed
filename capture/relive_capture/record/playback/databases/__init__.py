"""Databases that answer from the recording: no connection is opened, and objects are of the libraries' own
classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_capture.record.recording.imports import Patch, later, standard

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["played_databases"]

_LIBRARIES: Final = {
    "asyncpg.connect_utils": "asyncpg_calls",
    "bson.objectid": "object_id_calls",
    "psycopg": "psycopg_calls",
    "psycopg2": "psycopg2_calls",
    "pymongo.asynchronous.auth": "pymongo_calls",
    "pymongo.asynchronous.pool": "pymongo_calls",
    "pymongo.asynchronous.srv_resolver": "pymongo_calls",
    "pymongo.asynchronous.topology": "pymongo_calls",
    "pymongo.auth": "pymongo_calls",
    "pymongo.periodic_executor": "pymongo_calls",
    "pymongo.pool": "pymongo_calls",
    "pymongo.srv_resolver": "pymongo_calls",
    "pymongo.synchronous.auth": "pymongo_calls",
    "pymongo.synchronous.pool": "pymongo_calls",
    "pymongo.synchronous.srv_resolver": "pymongo_calls",
    "pymongo.synchronous.topology": "pymongo_calls",
    "pymongo.topology": "pymongo_calls",
    "pymysql.connections": "pymysql_calls",
    "sqlite3": "sqlite_calls",
}


def played_databases(player: PlayedCalls) -> dict[str, Patch]:
    """For `when_imported`: what plays each library, by the module that is waited for."""
    found = {
        name: later(__name__, own, lambda own, module: own.play(player, module))
        for name, own in _LIBRARIES.items()
    }
    return {**found, "sqlite3": standard(found["sqlite3"])}
