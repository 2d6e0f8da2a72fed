"""Bodies of calls that are typed values (typed_values.py), one on a line: without secrets, and as people read
them.

A value with `columns` and `rows` is a table: what stands in a column is judged by the column's name.
Parameters of a statement are judged by the names that the statement has for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from typing import Any, Final

from relive_base.redaction.redactor import PLACEHOLDER, Redactor

from relive_capture.bson_values import TAGS
from relive_capture.recording_format import RecordedCall
from relive_capture.typed_values import unknown_types

__all__ = [
    "answer_text",
    "clean_statement",
    "clean_values",
    "parameter_names",
    "request_text",
    "unknown_in",
    "values_text",
]

_INSERT: Final = re.compile(
    r"\binto\s+[^\s(]+\s*\(([^()]{1,4000})\)\s*values\s*\(([^;]{1,4000})", re.IGNORECASE
)
_INSERTED: Final = re.compile(r"\binto\s+[^\s(]+\s*\(([^()]{1,4000})\)\s*values\s*", re.IGNORECASE)
_TOKENS: Final = re.compile(r"[eE]?'(?:[^'\\]|''|\\.)*'|[(),]")
_MARK: Final = r"(?:%s|\?|%\(\w+\)s|:\w+|\$(\d+))"
_COMPARED: Final = re.compile(
    rf"(?:([\w.\"`]+)\s*(?:=|<>|!=|<=|>=|<|>|like|in\s*\()\s*)?{_MARK}", re.IGNORECASE
)
_STATEMENT_CHARS: Final = 20_000
_NAMES: Final = 1_000
_SHOWN: Final = 120
_QUOTES: Final = "\"'`[] \n\t"


# ---------------------------------------------------------------- secrets


def clean_values(
    data: bytes, statement: str, path: str, redactor: Redactor, places: list[str]
) -> tuple[bytes, int]:
    """(the lines without secrets, bytes of lines that cannot be searched and are left out)."""
    found, left_out = [], 0
    columns: list[str] = []
    for line in data.split(b"\n") if data else []:
        here: list[str] = []
        try:
            plain = json.loads(line)
            columns = _columns_of(plain) or columns
            clean = _clean(plain, columns, statement, path, redactor, here)
        except (ValueError, RecursionError):
            left_out += len(line)
            continue
        if here:
            places += [place for place in dict.fromkeys(here) if place not in places]
            line = _dumped(clean)
        found.append(line)
    return b"\n".join(found), left_out


def clean_statement(statement: str, redactor: Redactor) -> str:
    """A statement without secrets; the same object if there was none. In an INSERT the columns' names say
    what its literals are."""
    clean = redactor.text(statement)
    insert = _INSERTED.search(clean[:_STATEMENT_CHARS])
    if insert is None:
        return clean
    names = [column.strip(_QUOTES) for column in insert[1].split(",")]
    if not any(redactor.secret_key(name) for name in names):
        return clean
    parts, at, place = [clean[: insert.end()]], insert.end(), 0
    for token in _TOKENS.finditer(clean, insert.end()):
        word = token[0]
        name = names[place] if place < len(names) else ""
        hidden = word.endswith("'") and len(word) > 2 and bool(redactor.secret_key(name))
        parts += [clean[at : token.start()], f"'{PLACEHOLDER}'" if hidden else word]
        at = token.end()
        place = 0 if word == "(" else place + 1 if word == "," else place
    found = "".join([*parts, clean[at:]])
    return found if found != statement else statement


def _clean(
    plain: Any, columns: list[str], statement: str, path: str, redactor: Redactor, places: list[str]
) -> object:
    if not isinstance(plain, dict):
        return redactor.value(plain, path, places)
    rest = {name: item for name, item in plain.items() if name not in ("rows", "parameters")}
    found: dict[object, object] = dict(redactor.value(rest, path, places))  # type: ignore[call-overload]
    for name in plain:
        if name == "rows":
            found[name] = _rows(plain[name], columns, f"{path}.rows", redactor, places)
        elif name == "parameters":
            names = parameter_names(statement)
            found[name] = _row(plain[name], names, f"{path}.parameters", redactor, places)
    return {name: found[name] for name in plain if name in found} | found


def _rows(rows: Any, columns: list[str], path: str, redactor: Redactor, places: list[str]) -> object:
    if not isinstance(rows, list):
        return redactor.value(rows, path, places)
    return [_row(row, columns, path, redactor, places) for row in rows]


def _row(row: Any, names: list[str], path: str, redactor: Redactor, places: list[str]) -> object:
    if isinstance(row, dict) and len(row) == 1 and isinstance(row.get("$tuple"), list):
        return {"$tuple": _row(row["$tuple"], names, path, redactor, places)}
    if not isinstance(row, list):
        return redactor.value(row, path, places)
    cells = []
    for number, cell in enumerate(row):
        name = names[number] if number < len(names) else ""
        if name:
            cells.append(redactor.named(name, cell, f"{path}.{redactor.key(name)}", places))
        else:
            cells.append(redactor.value(cell, path, places))
    return cells


def _columns_of(plain: Any) -> list[str]:
    columns = plain.get("columns") if isinstance(plain, dict) else None
    if not isinstance(columns, list):
        return []
    heads = [column[0] if isinstance(column, list) and column else column for column in columns]
    return [head if isinstance(head, str) else "" for head in heads]


def parameter_names(statement: str) -> list[str]:
    """A name for each positional parameter as far as the statement has one: the column that it is for in an
    INSERT, or is compared with or set to; else ""."""
    statement = statement[:_STATEMENT_CHARS]
    insert = _INSERT.search(statement)
    if insert is not None:
        columns = [column.strip(_QUOTES) for column in insert[1].split(",")]
        values = [value.strip() for value in insert[2].split(",")]
        marks = re.compile(_MARK)
        names = [column for column, value in zip(columns, values, strict=False) if marks.search(value)]
        return names[:_NAMES]
    found: dict[int, str] = {}
    for number, match in enumerate(_COMPARED.finditer(statement)):
        name = (match[1] or "").rpartition(".")[2].strip(_QUOTES)
        place = int(match[2]) - 1 if match[2] and len(match[2]) < 5 else number
        if place < _NAMES:
            found[place] = found.get(place) or name
    return [found.get(number, "") for number in range(max(found, default=-1) + 1)]


def _dumped(plain: object) -> bytes:
    try:
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(plain, separators=(",", ":")).encode()


# ---------------------------------------------------------------- for people


def unknown_in(data: bytes) -> list[str]:
    """Types in these lines that no replay can make again."""
    found: dict[str, None] = {}
    for plain in _lines(data.decode("utf-8", "replace")):
        found.update(dict.fromkeys(unknown_types(plain)))
    return list(found)


def values_text(call: RecordedCall) -> str:
    """A call of typed values in one line: what was done, with what, and where."""
    statement = " ".join(call.statement.split())
    asked = request_text(call.request_body.text, TAGS if call.library == "pymongo" else None)
    what = statement or call.method
    return "  ".join(part for part in (what, asked, f"at {call.url}" if call.url else "") if part)


def request_text(text: str, tags: Container[str] | None = None) -> str:
    """What was asked with, as people read it: the parameters alone if there are any. `tags`: names that stand
    for types; None: all that begin with `$`."""
    for plain in _lines(text):
        alone = isinstance(plain, dict) and plain.keys() == {"parameters"}
        parameters = plain["parameters"] if alone else plain
        return "" if parameters in (None, [], {}) else _shown(parameters, tags=tags)
    return ""


def answer_text(text: str) -> str:
    """What was answered in some words: how many rows, an error, or the value if it is short."""
    rows, table, value = 0, False, ""
    for plain in _lines(text):
        if isinstance(plain, dict) and ("columns" in plain or "rows" in plain):
            table = table or bool(plain.get("columns"))
            rows += len(plain.get("rows") or ())
        elif isinstance(plain, dict) and not value:
            value = _document_text(plain)
        elif not isinstance(plain, dict) and not value:
            value = _shown(plain)[:_SHOWN]
    if table or rows:
        return f"{rows} row{'' if rows == 1 else 's'}"
    return value


def _document_text(plain: dict[str, Any]) -> str:
    """What MongoDB has answered."""
    cursor, errors = plain.get("cursor"), plain.get("writeErrors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return str(errors[0].get("errmsg") or "an error")[:_SHOWN]
    if isinstance(plain.get("errmsg"), str) and not plain.get("ok"):
        return str(plain["errmsg"])[:_SHOWN]
    if isinstance(cursor, dict):
        batch = cursor.get("firstBatch", cursor.get("nextBatch"))
        if isinstance(batch, list):
            return f"{len(batch)} document{'' if len(batch) == 1 else 's'}"
    return f"n: {plain['n']}" if type(plain.get("n")) is int else ""


def _lines(text: str) -> Iterator[Any]:
    for line in text.split("\n") if text else ():
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def _shown(plain: Any, depth: int = 0, tags: Container[str] | None = None) -> str:
    """A value without the names of its types: `tags`, or all that begin with `$`."""
    if depth > 6:
        return "..."
    if isinstance(plain, dict):
        if len(plain) == 1:
            tag, inner = next(iter(plain.items()))
            if tag == "$tuple":
                return _shown(inner, depth, tags)
            if tag in tags if tags is not None else tag[:1] == "$":
                return inner if isinstance(inner, str) else _shown(inner, depth + 1, tags)
        return "{" + ", ".join(f"{key}: {_shown(item, depth + 1, tags)}" for key, item in plain.items()) + "}"
    if isinstance(plain, list):
        return "[" + ", ".join(_shown(item, depth + 1, tags) for item in plain) + "]"
    return json.dumps(plain, ensure_ascii=False)
