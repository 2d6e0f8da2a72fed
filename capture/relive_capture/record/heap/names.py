"""The names on a snapshot's edges, as texts without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from relive_base.redaction.redactor import Redactor

from relive_capture.record.inspection import type_name
from relive_capture.record.values import bytes_text, int_text, str_text

__all__ = ["Strings", "key_text", "name_text"]

_NAME_CHARS: Final = 100
_PLAIN_CHARS: Final = 64
_PLAIN_DIGITS: Final = 4
_TUPLE_PARTS: Final = 4
_STRINGS_CHARS: Final = 8 * 1024 * 1024


class Strings:
    """strings.json in the making: texts by number; those that labels name come first."""

    def __init__(self, texts: list[str]) -> None:
        self.texts: list[str] = []
        self._left = _STRINGS_CHARS
        self._known: dict[str, int] = {"": 0}
        for text in texts:
            self.texts.append(text if self._has_room(text) else "")

    def _has_room(self, text: str) -> bool:
        self._left -= len(text)
        return self._left >= 0

    def number(self, text: str) -> int:
        """The text's number; 0, that of the empty one, if there is no more room."""
        found = self._known.get(text)
        if found is None:
            if not self._has_room(text):
                return 0
            found = self._known[text] = len(self.texts)
            self.texts.append(text)
        return found


def name_text(name: Any, redactor: Redactor) -> str:
    """Of an attribute or a local: a name that somebody wrote into a program is kept; what may be a token, or
    data, is told by its length."""
    if type(name) is not str:
        return ""
    digits = sum(map(str.isdigit, name[: _PLAIN_CHARS + 1]))
    plain = len(name) <= _PLAIN_CHARS and digits <= _PLAIN_DIGITS and name.isprintable()
    return name if plain and redactor.text(name) is name else f"<str of {len(name)}>"


def key_text(key: Any, near: Callable[[Any], bool], redactor: Redactor) -> str:
    """Of a dict's entry: its key as code. `near` says of a key whether its dict is one near the user's
    frames, where keys are shown as the failure's locals are."""
    cls = type(key)
    if cls is tuple:
        parts = (
            "…" if type(part) is tuple else key_text(part, near, redactor) for part in key[:_TUPLE_PARTS]
        )
        return f"({', '.join(parts)}{', …' if len(key) > _TUPLE_PARTS else ''})"
    if cls is str:
        if near(key):
            return str_text(key, _NAME_CHARS, redactor.text)[0]
        plain = name_text(key, redactor)
        return plain if plain.startswith("<") else repr(plain)
    if cls is bytes:
        return bytes_text(key, _NAME_CHARS, redactor.text)[0] if near(key) else f"<bytes of {len(key)}>"
    if cls is int:
        return redactor.text(int_text(key))
    return repr(key) if cls is float or cls is bool or key is None else f"<{type_name(cls)}>"
