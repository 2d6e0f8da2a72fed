"""libpq's connections and results, as values for a recording."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from relive_capture.record.recording.databases.pg_values import to_typed

__all__ = [
    "FIELDS",
    "PARAMETERS",
    "connection_facts",
    "parameters_of",
    "result_bytes",
    "result_values",
    "session_parameters",
    "target_of",
]

FIELDS: Final = "SVCMDHPpqWstcdnFLR"
"""Codes of the fields of an error or a notice."""
PARAMETERS: Final = (
    "server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone",
    "integer_datetimes", "standard_conforming_strings", "is_superuser",
    "application_name", "default_transaction_read_only", "in_hot_standby", "scram_iterations", "search_path",
)  # fmt: skip
_SETS: Final = re.compile(rb"\s*(?:set|reset|discard|select\s+(?:pg_catalog\.)?set_config)\b", re.IGNORECASE)
_PLACE: Final = re.compile(r"(?:^|\s)(host|hostaddr|port|dbname)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s']+))")
_SAMPLE: Final = 64
_COPY: Final = (3, 4, 8)


def target_of(pgconn: Any, conninfo: str = "") -> str:
    """Host, port and database."""
    if pgconn is not None:
        host, port, database = (_text(part) for part in (pgconn.host, pgconn.port, pgconn.db))
        return f"postgresql://{host}:{port}/{database}"
    found = {match[1]: match[2] or match[3] or "" for match in _PLACE.finditer(conninfo)}
    import os

    host = found.get("host") or found.get("hostaddr") or os.environ.get("PGHOST", "")
    port = found.get("port") or os.environ.get("PGPORT") or "5432"
    user = re.search(r"(?:^|\s)user\s*=\s*'?([^\s']+)", conninfo)
    database = found.get("dbname") or os.environ.get("PGDATABASE") or (user[1] if user else "")
    return f"postgresql://{host}:{port}/{database}"


def _text(data: bytes | None) -> str:
    return data.decode("utf-8", "replace") if data else ""


def connection_facts(pgconn: Any) -> dict[str, object]:
    """What the library asks of an open connection without asking the server."""
    found = {name: _text(pgconn.parameter_status(name.encode())) for name in PARAMETERS}
    return {
        "parameters": {name: value for name, value in found.items() if value},
        "version": pgconn.server_version,
        "backend": pgconn.backend_pid,
        "protocol": pgconn.protocol_version,
        "user": _text(pgconn.user),
        "hostaddr": _text(pgconn.hostaddr),
        "ssl": bool(pgconn.ssl_in_use),
        "tx": pgconn.transaction_status,
    }


def session_parameters(pgconn: Any, statement: bytes) -> dict[str, str]:
    """Parameters after a statement that may have set one."""
    if statement[:1] not in b"SsRrDd\n\t " or not _SETS.match(statement):
        return {}
    found = {name: _text(pgconn.parameter_status(name.encode())) for name in PARAMETERS}
    return {name: value for name, value in found.items() if value}


def parameters_of(
    params: Sequence[bytes | None], types: Sequence[int], formats: Sequence[int]
) -> dict[str, object]:
    """Parameters as they are shown and compared."""
    values = [
        to_typed(None if data is None else bytes(data), form, oid)
        for data, form, oid in zip(params, formats, types, strict=False)
    ]
    return {"parameters": values}


def result_bytes(result: Any) -> int:
    """About how large a result is: all its cells if they are few, else some of them counted for all."""
    rows, columns = result.ntuples, result.nfields
    cells = rows * columns
    if not cells:
        return 300
    get_value = result.get_value
    step = 1 if cells <= _SAMPLE else cells // _SAMPLE
    size = count = 0
    for cell in range(0, cells, step):
        count += 1
        value = get_value(cell // columns, cell % columns)
        if value is not None:
            size += len(value)
    return int(300 + 16 * cells + size * cells // count)


def result_values(results: Sequence[Any], after: int, changed: dict[str, str]) -> Iterator[dict[str, object]]:
    """One value for each result. The last one has the state of the transaction after it."""
    for number, result in enumerate(results):
        found = _result_value(result)
        if number == len(results) - 1:
            found["tx"] = after
            if changed:
                found["session"] = changed
        yield found
    if not results:
        yield {"none": True, "tx": after}


def _result_value(result: Any) -> dict[str, object]:
    found: dict[str, object] = {"status": int(result.status)}
    if result.command_status:
        found["command"] = _text(result.command_status)
    if result.nfields or result.status in (2, 9, 12):
        columns = range(result.nfields)
        heads = [
            [
                _text(result.fname(at)), result.ftype(at), result.fmod(at), result.fsize(at),
                int(result.fformat(at)), result.ftable(at), result.ftablecol(at),
            ]
            for at in columns
        ]  # fmt: skip
        found["columns"] = heads
        found["rows"] = [
            [to_typed(result.get_value(row, at), heads[at][4], heads[at][1]) for at in columns]
            for row in range(result.ntuples)
        ]
    if result.status == 7:
        fields = {code: result.error_field(ord(code)) for code in FIELDS}
        found["error"] = {code: _text(text) for code, text in fields.items() if text is not None}
        found["message"] = _text(result.error_message)
    return found
