"""An application's document as the text of a `relive.toml`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from relive_platform.registry.application.document import Document

__all__ = ["to_toml"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(document: Document) -> str:
    """Its tables, after comments that say what the document's own file has in vain."""
    lines = [f"# Made of {_comment(document.file.name)} by relive import."]
    named = [note for note in document.ignored if not note.describes]
    if named:
        lines.append("# Not in it:")
    for note in named:
        place = f"line {note.line}: " if note.line else ""
        hint = f"; {note.hint}" if note.hint else ""
        lines.append(_comment(f"#   {place}{note.key}: {note.message}{hint}"))
    for name, table in document.values.items():
        if name == "app":
            if table:
                lines += ["", "[app]", *_pairs(table)]
            continue
        for key, inner in table.items():
            lines += ["", *_section((name, key), inner)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _section(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{'.'.join(map(_key, path))}]"
    yield from _pairs({key: value for key, value in table.items() if not _tables(value)})
    for key, value in table.items():
        for inner in value if _tables(value) else ():
            yield ""
            yield f"[[{'.'.join(map(_key, (*path, key)))}]]"
            yield from _pairs(inner)


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{_key(key)} = {_value(value)}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return _text(str(value))


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL, and lone surrogates, which TOML cannot have."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
