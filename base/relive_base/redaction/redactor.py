"""Redaction: what is secret leaves a scene before it is written.

Three rules, applied everywhere: by the name a value goes under ("password", "x-api-key"), by the shape of the
value itself (a bearer token, a private key, a card number), and, within one scene, by what was found to be a
secret elsewhere in it. `docs/explanation/redaction.md` lists them.
Only the places that were redacted are kept, never the values.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from relive_base.attributes import Attribute
from relive_base.redaction.assignments import hide_assignments, is_harmless
from relive_base.redaction.cards import hide_cards, is_card, may_hold_card, names_a_number
from relive_base.redaction.cookies import hide_cookies
from relive_base.redaction.disguises import base64_bytes, may_be_disguised, undisguise, without_plus
from relive_base.redaction.memory import SecretMemory, pattern_of
from relive_base.redaction.names import (
    NAME_KEYS,
    VALUE_KEYS,
    classify,
    is_path,
    may_name,
    name_places,
    names_a_path,
    secret_texts,
    split_words,
)
from relive_base.redaction.source import hide_literals, is_no_literal
from relive_base.redaction.tokens import hide_tokens, may_hold_token
from relive_base.redaction.values import (
    PLACEHOLDER,
    hide_forms,
    hide_group,
    hide_lines,
    is_mysql,
    may_have_form,
)

__all__ = ["PLACEHOLDER", "KeyBlocks", "Redactor", "split_words"]

_MAX_KEY: Final = 128
_SECRETS: Final = 100  # of one dict
_CACHE_LIMIT: Final = 4096
_MAX_JSON_DEPTH: Final = 200
_MAX_LAYERS: Final = 3  # of escapes within escapes
_MAX_OPEN: Final = 1024  # streams that may be within a key at a time
_MAX_BLOCK_LINES: Final = 300
_SHAPES: Final = 2_048
_SHAPE_CHARS: Final = 512
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")


class Redactor:
    """Removes secrets. One per application: `keys` are further names that count as secret there.

    Thread-safe: its only state is bounded caches of judged names, and of the shapes of harmless lines. A
    shape is a hash of the line with all digits alike: no hint of a secret's name or form has a digit in it,
    so lines that differ in numbers alone have the same hints. No text is kept.
    """

    __slots__ = ("_cache", "_extra", "_hints", "_keys", "_known", "_memory", "_plain")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._memory: SecretMemory | None = None
        self._known: re.Pattern[str] | None = None
        self._extra = frozenset(filter(None, ("_".join(split_words(key)) for key in keys)))
        self._cache: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._plain: set[int] = set()  # shapes of lines without a hint
        # the first word of a name must be in the text before the name can be
        self._hints = tuple(name.split("_")[0] for name in self._extra)

    def remembering(self, memory: SecretMemory) -> Redactor:
        """One that hides what is in `memory` wherever it stands, and puts there what it finds. What it finds
        later does not count for what it hides: ask for another one then."""
        made = Redactor()
        made._extra, made._hints = self._extra, self._hints
        made._cache, made._plain = self._cache, self._plain
        made._memory = memory
        made._known = pattern_of(memory.values)
        return made

    @property
    def secrets(self) -> list[str]:
        """What `remembering` has found so far. Not to be written anywhere."""
        return [] if self._memory is None else self._memory.values

    # ------------------------------------------------------------ names

    def secret_key(self, name: str) -> str:
        """How secret what goes under `name` is: "strong" (whatever it is), "weak" (if it is text),
        "plural" (if it is text or a list of texts), "path" (if it is no path), or ""."""
        known = self._cache.get(name)
        if known is None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            words = split_words(name[:_MAX_KEY])
            known = classify(words, self._extra)
            if known == "strong" and names_a_path(name, words) and "_".join(words) not in self._extra:
                known = "path"
            self._cache[name] = known
        return known

    def is_secret(self, name: str, value: object) -> bool:
        """Whether `value` under `name` is one to hide; None, false and what is empty are not."""
        strength = self.secret_key(name)
        return bool(strength) and _holds_secret(strength, value)

    def key(self, name: str) -> str:
        """`name` itself without secrets: somebody may have used one as a key. The same object if there was
        none."""
        known = self._keys.get(name)
        if known is None:
            if len(self._keys) >= _CACHE_LIMIT:
                self._keys.clear()
            known = self.text(name)
            if len(name) <= _MAX_KEY:
                self._keys[name] = known
        return name if known == name else known

    # ------------------------------------------------------------ text

    def text(self, text: str) -> str:
        """`text` with every secret in it replaced; the same object if there was none."""
        if len(text) < 6:
            return text
        result = self._hidden(text)
        if may_be_disguised(result):
            result = self._undisguised(result)
        if result is text and (raw := base64_bytes(text)) is not None:
            result = self._unpacked(text, raw)
        if self._known is not None:
            result = self._known.sub(PLACEHOLDER, result)
        return result if result != text else text

    def _unpacked(self, text: str, raw: bytes) -> str:
        """A text in base64 whose `raw` content is text: looked into, and packed again if there was a
        secret."""
        clean = self.json_bytes(raw)
        return text if clean is raw else binascii.b2a_base64(clean, newline=False).decode()

    def _hidden(self, text: str) -> str:
        lower = text.lower()
        result = text
        raw = text.encode("ascii", "replace")
        shape = hash(raw.translate(_DIGITS_ALIKE)) if len(raw) <= _SHAPE_CHARS and text.isascii() else None
        form = named = False
        if shape not in self._plain:
            form, named = may_have_form(lower), may_name(lower)
            if not form and not named and shape is not None:
                self._learn(shape)
        if form:
            result = hide_forms(text, lower, self._hide_form)
        if may_hold_token(text, raw):
            result = hide_tokens(result, lower, self._hide_form)
        if (" " in lower or "=" in lower or ":" in lower or "<" in lower or "," in lower) and (
            named or (self._hints and self._may_name(lower))
        ):
            result = hide_assignments(result, lower, self.secret_key, is_harmless, self._found)
        return hide_cards(result, PLACEHOLDER) if may_hold_card(raw) else result

    def _learn(self, shape: int) -> None:
        if len(self._plain) >= _SHAPES:
            self._plain.clear()
        self._plain.add(shape)

    def _found(self, secret: str) -> None:
        if self._memory is not None:
            self._memory.add(secret)

    def _hide_form(self, match: re.Match[str]) -> str:
        if self._memory is not None:
            self._memory.add(match["secret"])
        return hide_group(match)

    def _undisguised(self, text: str) -> str:
        """Secrets behind escapes (`token%3Dabc`, `"pass\\u0077ord"`), plus signs of forms and look-alikes of
        separators. If one is found, the text is given without its escapes."""
        plain = text
        for _ in range(_MAX_LAYERS):
            first = plain
            for change in (undisguise, without_plus):
                before, plain = plain, change(plain)
                if plain is not before:
                    hidden = self._hidden(plain)
                    if hidden != plain:
                        text = plain = hidden
            if plain is first:
                break
        return text

    def source(self, text: str) -> str:
        """Program text without its secrets. Only literals and comments count: `password = ask()` stays as it
        is. Lines stay where they are."""
        lower = text.lower()
        result = hide_forms(text, lower, hide_lines) if may_have_form(lower) else text
        if may_hold_token(text, text.encode("ascii", "replace")):
            result = hide_tokens(result, lower, hide_lines)
        if self._may_name(lower):
            lower = result.lower()
            # one letter in lower case is two: then no place is where it was
            places = name_places(lower, self._hints) if len(lower) == len(result) else range(len(result))
            result = hide_literals(result, self.secret_key, self._inside, places)
        if self._known is not None:
            result = self._known.sub(_same_lines, result)
        return result

    def _inside(self, body: str) -> str:
        """A string or a comment of a program."""
        lower = body.lower()
        if ("=" in lower or ":" in lower) and self._may_name(lower):
            return hide_assignments(body, lower, self.secret_key, is_no_literal)
        return body

    def _may_name(self, lower: str) -> bool:
        return may_name(lower) or (bool(self._hints) and any(hint in lower for hint in self._hints))

    # ------------------------------------------------------------ structures

    def json_bytes(self, data: bytes, path: str = "event", redacted: list[str] | None = None) -> bytes:
        """JSON text without its secrets, still JSON; the same bytes if there was none. What is not JSON is
        treated as text. The places go to `redacted` as "event.headers.authorization"."""
        found: list[str] = [] if redacted is None else redacted
        before = len(found)
        try:
            value = json.loads(data, object_pairs_hook=_without_duplicates)
            clean = self.value(value, path, found)
            if len(found) == before:
                return data
            # to JSON, too, the escape of a lone surrogate is one
            return json.dumps(clean, ensure_ascii=False).encode("utf-8", "backslashreplace")
        except (ValueError, RecursionError):
            del found[before:]
        text = data.decode("utf-8", "surrogateescape")
        hidden = self.text(text)
        if hidden == text:
            return data
        found.append(path)
        return hidden.encode("utf-8", "surrogateescape")

    def value(self, value: object, path: str, redacted: list[str], depth: int = 0) -> object:
        """A copy of plain data (dict, list, str, numbers) without its secrets."""
        if isinstance(value, str):
            clean = self.text(value)
            if clean is not value:
                redacted.append(path)
            return clean
        if depth > _MAX_JSON_DEPTH:
            raise RecursionError
        if isinstance(value, dict):
            return self._entries(value, path, redacted, depth)
        if isinstance(value, list | tuple):
            return self._items(value, path, redacted, depth)
        if isinstance(value, int) and value > 10**11 and is_card(str(value)):
            redacted.append(path)
            return PLACEHOLDER
        return value

    def _entries(
        self, value: dict[object, object], path: str, redacted: list[str], depth: int
    ) -> dict[object, object]:
        named = self._named_by_entry(value)
        found: dict[object, object] = {}
        for key, item in value.items():
            name = str(key)
            shown = self.key(name)
            place = f"{path}.{shown}"
            if shown is not name:
                redacted.append(place)
            name = named if name in VALUE_KEYS and named else name
            found[shown if shown is not name and isinstance(key, str) else key] = self._entry(
                name, item, place, redacted, depth
            )
        return found

    def _items(self, value: Sequence[object], path: str, redacted: list[str], depth: int) -> list[object]:
        """A list; of a (name, value) pair and of `--name value` arguments, the name counts."""
        found: list[object] = []
        name = ""
        mysql = len(value) > 1 and isinstance(value[0], str) and is_mysql(value[0])
        for index, item in enumerate(value):
            place = f"{path}[{index}]"
            if mysql and isinstance(item, str) and item.startswith("-p") and len(item) > 2:
                self._found(item[2:])
                redacted.append(place)
                found.append(f"-p{PLACEHOLDER}")
                continue
            secret = bool(name) and isinstance(item, str) and self._is_named(name, item)
            found.append(
                self._entry(name, item, place, redacted, depth)
                if secret
                else self.value(item, place, redacted, depth + 1)
            )
            is_pair = index == 0 and len(value) == 2
            name = item if isinstance(item, str) and (is_pair or item.startswith("-")) else ""
        return found

    def _named_by_entry(self, value: dict[object, object]) -> str:
        """The secret name in {"name": "password", "value": "..."}: so lists of headers have it."""
        for key in NAME_KEYS:
            name = value.get(key)
            if isinstance(name, str) and self.secret_key(name) in ("strong", "path"):
                return name
        return ""

    def _is_named(self, name: str, value: str) -> bool:
        """Whether a text beside it says that `value` is a secret."""
        return self.secret_key(name) in ("strong", "path") and self.is_secret(name, value)

    def named(self, name: str, value: object, path: str, redacted: list[str]) -> object:
        """As `value`, of plain data that goes under `name`: a cell of a table by its column, say."""
        return self._entry(name, value, path, redacted, 0)

    def _entry(self, name: str, value: object, path: str, redacted: list[str], depth: int) -> object:
        strength = self.secret_key(name)
        if strength and _holds_secret(strength, value):
            clean = self._hidden_entry(name, value)
            if clean is not value:
                redacted.append(path)
            return clean
        if (
            isinstance(value, int | str)
            and _is_number(value)
            and names_a_number(split_words(name[:_MAX_KEY]))
        ):
            return value
        return self.value(value, path, redacted, depth + 1)

    def _hidden_entry(self, name: str, value: object) -> object:
        if isinstance(value, list):
            texts = [text for text in value if isinstance(text, str)]
            if name[-7:].lower() == "cookies" and len(texts) == len(value):
                return [hide_cookies(text, PLACEHOLDER, self._found) for text in texts]
            # of two, the first is a user's name, but for `tokens`
            pair = len(value) == 2 and self.secret_key(name) != "plural"
            for text in texts[-1:] if pair else texts:
                self._found(text)
        if isinstance(value, dict):
            for text in secret_texts(value, self.secret_key, _SECRETS):
                self._found(text)
        if not isinstance(value, str):
            return PLACEHOLDER
        if name[-6:].lower() == "cookie":
            clean = hide_cookies(value, PLACEHOLDER, self._found)
            return value if clean == value else clean
        self._found(value)
        return PLACEHOLDER

    def attribute(self, name: str, value: str) -> str:
        """The text of an attribute of a span, a log line or a record without its secrets; the same object
        if there was none."""
        clean = self._entry(name, value, "", [], 0) if value else value
        return value if clean == value else str(clean)

    def typed_attribute(self, name: str, value: Attribute) -> Attribute:
        """As `attribute`, of a value that may be no text."""
        clean = self._entry(name, value, "", [], 0)
        if clean == value:
            return value
        return clean if isinstance(clean, str | int | float | list) else str(clean)

    def headers(
        self, headers: Iterable[tuple[str, str]], path: str, redacted: list[str]
    ) -> list[tuple[str, str]]:
        """HTTP headers without their secrets, in their order."""
        return [
            (name, str(self._entry(name, value, f"{path}.{name}", redacted, 0))) for name, value in headers
        ]

    def environment(self, environment: Mapping[str, str], path: str, redacted: list[str]) -> dict[str, str]:
        """Environment variables without their secrets."""
        clean: dict[str, str] = {}
        for name, value in environment.items():
            clean[name] = str(self._entry(name, value, f"{path}.{name}", redacted, 0))
        return clean


class KeyBlocks:
    """Log lines without secrets, if a private key was printed too: each of its lines is a line of its own.
    `stream` tells apart whose lines they are."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[Hashable, int] = {}

    def line(self, stream: Hashable, text: str, redactor: Redactor) -> str:
        """The line without its secrets; the same object if there was none."""
        if self._open and stream in self._open:
            return self._inside(stream, text)
        clean = redactor.text(text)
        if clean is not text and "-----BEGIN" in text and text.rfind("-----END") < text.rfind("-----BEGIN"):
            if len(self._open) >= _MAX_OPEN:
                self._open.clear()
            self._open[stream] = _MAX_BLOCK_LINES
        return clean

    def _inside(self, stream: Hashable, text: str) -> str:
        left = self._open[stream] - 1
        end = text.find("-----END")
        if end >= 0 or left <= 0:
            del self._open[stream]
        else:
            self._open[stream] = left
        return PLACEHOLDER


def _holds_secret(strength: str, value: object) -> bool:
    """Whether a value under a name of that strength is one to hide."""
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return False
    if strength == "path":
        return not (isinstance(value, str) and is_path(value))
    if strength == "plural":
        return isinstance(value, str) or (isinstance(value, list) and isinstance(value[0], str))
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value):
        return True  # user and password
    if strength == "weak" and isinstance(value, str):
        return not is_harmless("", value)
    return strength == "strong" or isinstance(value, str | int)


def _same_lines(match: re.Match[str]) -> str:
    return PLACEHOLDER + "\n" * match.group().count("\n")


def _is_number(value: int | str) -> bool:
    return not isinstance(value, str) or (len(value) < 40 and value.isdigit())


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A name that is there twice would hide its first value: such a text is no JSON to look into."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found
