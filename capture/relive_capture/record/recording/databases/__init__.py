"""Databases: statements, parameters and what was read, each library's own objects left as they are.

A library's module is imported with its patch only once the function has imported the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_capture.record.recording.imports import Patch, later, standard

if TYPE_CHECKING:
    from relive_capture.record.recording.recorded import CallRecordingHolder

__all__ = ["database_patches"]

_LIBRARIES: Final = {
    "asyncpg.protocol.protocol": "asyncpg_calls",
    "asyncpg.connection": "asyncpg_calls",
    "psycopg": "psycopg_calls",
    "psycopg2": "psycopg2_calls",
    "bson.objectid": "object_id_calls",
    "pymongo.asynchronous.pool": "pymongo_calls",
    "pymongo.asynchronous.topology": "pymongo_calls",
    "pymongo.network_layer": "pymongo_calls",
    "pymongo.pool": "pymongo_calls",
    "pymongo.asynchronous.srv_resolver": "pymongo_calls",
    "pymongo.srv_resolver": "pymongo_calls",
    "pymongo.synchronous.pool": "pymongo_calls",
    "pymongo.synchronous.srv_resolver": "pymongo_calls",
    "pymongo.synchronous.topology": "pymongo_calls",
    "pymongo.topology": "pymongo_calls",
    "pymysql.connections": "pymysql_calls",
    "sqlite3": "sqlite_calls",
}


def database_patches(recorder: CallRecordingHolder) -> dict[str, Patch]:
    """For `when_imported`: what records each library, by the module that is waited for."""
    found = {
        name: later(__name__, own, lambda own, module: own.record(recorder, module))
        for name, own in _LIBRARIES.items()
    }
    return {**found, "sqlite3": standard(found["sqlite3"])}
