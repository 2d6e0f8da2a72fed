"""Databases: statements, parameters and what was read, each library's own objects left as they are.

A library's module is imported with its patch only once the function has imported the library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.recording.imports import Patch, standard

if TYPE_CHECKING:
    from types import ModuleType

    from relive_capture.record.recording.recorded import CallRecordingHolder

__all__ = ["database_patches"]

_HERE: Final = __name__
_LIBRARIES: Final = {
    "asyncpg.protocol.protocol": "asyncpg_calls",
    "asyncpg.connection": "asyncpg_calls",
    "psycopg": "psycopg_calls",
    "psycopg2": "psycopg2_calls",
    "pymysql.connections": "pymysql_calls",
    "sqlite3": "sqlite_calls",
}
_STANDARD: Final = ("sqlite3",)


def database_patches(recorder: CallRecordingHolder) -> dict[str, Patch]:
    """For `when_imported`: what records each library, by the module that is waited for."""
    return {
        name: standard(_patch(recorder, own)) if name in _STANDARD else _patch(recorder, own)
        for name, own in _LIBRARIES.items()
    }


def _patch(recorder: CallRecordingHolder, name: str) -> Patch:
    def patch(module: ModuleType) -> None:
        own: Any = importlib.import_module(f"{_HERE}.{name}")
        own.record(recorder, module)

    return patch
