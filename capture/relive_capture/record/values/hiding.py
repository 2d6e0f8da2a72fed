"""What of a value must not be shown: by its name, by its text, by what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from relive_base.redaction.assignments import is_harmless
from relive_base.redaction.cards import names_a_number
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.names import NAME_KEYS, VALUE_KEYS, is_path, secret_texts, split_words
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.redaction.values import is_mysql
from relive_base.values import ValueNode

from relive_capture.record.budget import Budget
from relive_capture.record.values.leaves import bytes_text, int_text, str_text
from relive_capture.record.values.plans import BYTES, CONTAINER, INT, STR, KnownTypes, Plan, Plans
from relive_capture.record.values.shapes.containers import ONE_TUPLE_END, index_label

__all__ = ["CACHED_TEXT", "FLAG", "MAX_CACHE", "Hiding", "KnownTexts", "hides"]

CACHED_TEXT: Final = 80
"""Texts up to this length are judged once in a capture."""
MAX_CACHE: Final = 20_000
FLAG: Final = "'-"
"""How the text of a command line's option begins."""
_MAX_REDACTIONS: Final = 1000
_KEY_TEXT: Final = 80
_CARD_DIGITS: Final = 13
_MOST_CARD_DIGITS: Final = 19
_LONG_SECRET: Final = 1024
_SECRETS: Final = 20  # of one list
_MOST_SHARED: Final = 2_000  # texts, numbers and names each that one capture leaves to the next

_Name = tuple[str, str, str, str]  # label; how secret what is under it is; as a key, as a field in a line


class KnownTexts:
    """Nodes of short texts without a secret and of small numbers, and names that are judged."""

    __slots__ = ("ints", "names", "strings")

    def __init__(self) -> None:
        self.strings: dict[str, ValueNode] = {}
        self.ints: dict[int, ValueNode] = {}
        self.names: dict[str, _Name] = {}

    def current(self) -> KnownTexts:
        """This one, if it is no larger than one capture may leave it to the next: what is full is begun
        again."""
        if len(self.strings) > _MOST_SHARED:
            self.strings = {}
        if len(self.ints) > _MOST_SHARED:
            self.ints = {}
        if len(self.names) > _MOST_SHARED:
            self.names = {}
        return self


class Hiding:
    """Judges names and texts for one capture. Redacted places are appended to `redactions`, under the path
    that is walked."""

    def __init__(
        self,
        budget: Budget,
        redactor: Redactor,
        redactions: list[str],
        types: KnownTypes,
        memory: SecretMemory | None,
        texts: KnownTexts,
    ) -> None:
        self._budget = budget
        self._memory = memory
        self._redactor = redactor
        self._redactions = redactions
        self._plans = Plans(types)
        self._clean_texts: dict[str, str] = {}
        self._clean_names = texts.names
        self._names = dict(texts.names)
        self._path: list[str] = []

    def _clean(self, text: str) -> str:
        """`text` without secrets; a redaction is noted under the current path."""
        clean = self._clean_texts.get(text)
        if clean is None:
            clean = self._redactor.text(text)
            if len(text) <= CACHED_TEXT and len(self._clean_texts) < MAX_CACHE:
                self._clean_texts[text] = clean
        if clean is not text and clean != text:
            self._note_redaction()
        return clean

    def _note_redaction(self) -> None:
        if len(self._redactions) < _MAX_REDACTIONS:
            first, *rest = self._path
            labels = [label if label.startswith("[") else f".{label}" for label in rest]
            self._redactions.append(first + "".join(labels))

    def _hidden(self, label: str, value: object) -> ValueNode:
        """The node of a value whose name says that it is a secret."""
        self._path.append(label)
        self._note_redaction()
        self._path.pop()
        if self._memory is not None:
            self._remember(label, value)
        return ValueNode(self._plans.of(type(value)).name, PLACEHOLDER, redacted=True)

    def _names_hidden(self, name: str, value: Any) -> bool:
        """Whether a value is one to hide by its name."""
        secret = self._redactor.secret_key(name[:_KEY_TEXT])
        return bool(secret) and hides(secret, value)

    def _remember(self, name: str, value: Any) -> None:
        """A secret text is one wherever else it stands."""
        memory: Any = self._memory
        if type(value) is str:
            memory.add(value)
        elif type(value) is bytes and len(value) <= _LONG_SECRET:
            memory.add(value.decode("latin-1"))
        elif type(value) is list or type(value) is tuple:
            # of two, the first is a user's name, but for `tokens`
            pair = len(value) == 2 and self._redactor.secret_key(name[:_KEY_TEXT]) != "plural"
            for item in value[-1:] if pair else value[:_SECRETS]:
                if type(item) is str:
                    memory.add(item)
        elif type(value) is dict:
            # not hosts, users and paths beside passwords
            for item in secret_texts(value, self._redactor.secret_key, _SECRETS):
                memory.add(item)

    def _name(self, key: Any) -> _Name:
        """A dict key or the name of an attribute. Strings as they are (redacted), others by their type's own
        text. Indexes are no names; everything else is judged by what it is called."""
        known = self._names.get(key) if type(key) is str else None
        if known is None:
            label = self._key_text(key)
            secret = "" if label.startswith("[") else self._redactor.secret_key(label)
            as_key = repr(label) if issubclass(type(key), str) else label
            known = label, secret, f"{as_key}: ", f"{label}="
            if type(key) is str and len(self._names) < MAX_CACHE and len(key) <= _KEY_TEXT:
                self._names[key] = known
                if label == key:  # another one is noted as redacted in each capture
                    self._clean_names[key] = known
        return known

    def _key_text(self, key: Any) -> str:
        cls = type(key)
        if cls is str:
            return self._clean(key[:_KEY_TEXT])
        plan = self._plans.of(cls)
        if plan.kind == STR:
            return self._clean(str.__getitem__(key, slice(0, _KEY_TEXT)))
        if issubclass(cls, tuple):
            parts = [
                repr(self._clean(part[:_KEY_TEXT])) if type(part) is str else self._key_text(part)
                for part in tuple.__getitem__(key, slice(0, 4))
            ]
            end = ONE_TUPLE_END if tuple.__len__(key) == 1 else ")"
            more = ["…"] if tuple.__len__(key) > len(parts) else []
            return f"({', '.join(parts + more)}{end}"[:_KEY_TEXT]
        return (f"<{plan.name}>" if plan.kind >= CONTAINER else self._leaf(key, plan)[0])[:_KEY_TEXT]

    def _leaf(self, value: Any, plan: Plan) -> tuple[str, int]:
        """(text, length or -1) of a value without children."""
        kind = plan.kind
        if kind == STR:
            clean = _same if _may_be_card(value) and self._is_other_number() else self._clean
            return str_text(value, self._budget.text, clean)
        if kind == INT:
            text = int_text(value)
            keep = len(text) < _CARD_DIGITS or self._is_other_number()
            return (text if keep else self._clean(text)), -1
        if kind == BYTES:
            return bytes_text(value, self._budget.text, self._clean)
        return self._clean(plan.call(value)[: self._budget.text * 2]), -1

    def _is_other_number(self) -> bool:
        """Whether the value's own name says that it is a number that no card has."""
        return names_a_number(split_words(self._path[-1][:_KEY_TEXT]))

    # ------------------------------------------------------------ names that are values themselves

    def _hide_named_items(
        self, values: Sequence[Any], nodes: list[ValueNode], texts: list[str], length: int
    ) -> bool:
        """Hide the second of a pair like ("x-api-key", "...") and what follows "--password"; whether any."""
        found = False
        if values and type(values[0]) is str and is_mysql(values[0][:_KEY_TEXT]):
            found = self._hide_glued(values, nodes, texts)
        for index in range(len(values) - 1):
            is_name = (index == 0 and length == 2) or texts[index].startswith(FLAG)
            if is_name and self._names_secret(values[index], values[index + 1]):
                nodes[index + 1] = self._hidden(index_label(index + 1), values[index + 1])
                texts[index + 1] = PLACEHOLDER
                found = True
        return found

    def _hide_glued(self, values: Sequence[Any], nodes: list[ValueNode], texts: list[str]) -> bool:
        """Hide `-pPASSWORD` of a command line; whether there is one."""
        found = False
        for index, value in enumerate(values):
            if type(value) is str and value[:2] == "-p" and value[2:]:
                nodes[index] = self._hidden(index_label(index), value[2:])
                texts[index] = PLACEHOLDER
                found = True
        return found

    def _hide_named_value(
        self, items: list[tuple[Any, Any]], children: list[tuple[str, ValueNode]], texts: list[str]
    ) -> None:
        """Hide the value of {"name": "x-api-key", "value": "..."}: so lists of headers have it."""
        labels = [label for label, _ in children]
        for key in NAME_KEYS:
            if key not in labels:
                continue
            name = items[labels.index(key)][1]
            for at, label in enumerate(labels):
                if label in VALUE_KEYS and self._names_secret(name, items[at][1]):
                    children[at] = label, self._hidden(label, items[at][1])
                    texts[at] = PLACEHOLDER

    def _names_secret(self, name: Any, value: Any) -> bool:
        """Whether the text `name` says that the text `value` is a secret."""
        if type(value) is not str and type(value) is not bytes:
            return False
        if type(name) is bytes:
            name = name[:_KEY_TEXT].decode("latin-1")
        strength = self._redactor.secret_key(name[:_KEY_TEXT]) if type(name) is str else ""
        return strength == "strong" or (strength == "path" and hides(strength, value))


def _same(text: str) -> str:
    return text


def _may_be_card(value: Any) -> bool:
    return type(value) is str and _CARD_DIGITS <= len(value) <= _MOST_CARD_DIGITS and value.isdigit()


def hides(secret: str, value: Any) -> bool:
    cls = type(value)
    if value is None or cls is bool:
        return False
    if secret == "plural":
        if cls is list or cls is tuple:
            return bool(value) and issubclass(type(value[0]), str | bytes)
        return issubclass(cls, str | bytes)
    if secret == "path":
        return not issubclass(cls, type) and not (cls is str and is_path(value))
    if secret == "weak" and (cls is tuple or cls is list):  # user and password
        return len(value) == 2 and type(value[0]) is str and type(value[1]) is str
    if secret == "weak":
        return issubclass(cls, str | bytes) and not (cls is str and is_harmless("", value[:_KEY_TEXT]))
    return not issubclass(cls, type)
