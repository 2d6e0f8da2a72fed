"""What an exception of a known type has to tell beside its message: fields, status and body, SQL, stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from relive_base.escapes import encodable
from relive_base.redaction.redactor import PLACEHOLDER, Redactor

from relive_capture.record.exceptions.detail_sources import SOURCES, Fact, http_facts
from relive_capture.record.guard import Guard
from relive_capture.record.inspection import instance_dict, module_name, mro, named_entry, type_name

__all__ = ["Details"]

_MAX_FACTS: Final = 40
_MAX_TEXT: Final = 2_000
_MAX_NAME: Final = 80
_MIN_SECRET: Final = 3  # shorter ones stand for too much else
_TAILS: Final = ("stdout", "stderr")


class Details:
    """Facts of exceptions, redacted and bounded: 40 of one exception, each at most 2,000 characters."""

    def __init__(self, redactor: Redactor, guard: Guard) -> None:
        self._redactor = redactor
        self._guard = guard

    def of(self, error: BaseException) -> tuple[list[tuple[str, str]], list[str]]:
        """((name, text) pairs in the order in which they are read; texts that the error's message may show,
        and that are secrets by their name). Runs library code within the guard's time; never raises."""
        source = _source(error)
        shown: list[tuple[str, str]] = []
        secrets: list[str] = []
        if source is not None:
            try:
                self._guard.call(self._collect, source(error), shown, secrets)
            except BaseException:
                pass  # what came until then is kept
        return shown, secrets

    def _collect(self, facts: Iterable[Fact], shown: list[tuple[str, str]], secrets: list[str]) -> None:
        for fact in islice(facts, _MAX_FACTS):
            for name, value in ((fact.secret_name, fact.value), *fact.named):
                if name and self._redactor.secret_key(name):
                    secrets.extend(_forms(value))
            text = self._shown(fact)
            if text:
                shown.append((encodable(fact.name[:_MAX_NAME]), text))

    def _shown(self, fact: Fact) -> str:
        value = fact.value
        if fact.secret_name and value is not None and self._redactor.secret_key(fact.secret_name):
            value = PLACEHOLDER
        text = self._text(value, tail=fact.name in _TAILS)
        return encodable(f"{fact.before}{text}") if text or fact.before else ""

    def _text(self, value: Any, *, tail: bool) -> str:
        if isinstance(value, bytes | bytearray):
            part = value[-_MAX_TEXT * 4 :] if tail else value[: _MAX_TEXT * 4]
            value = bytes(part).decode("utf-8", "backslashreplace")
        elif isinstance(value, dict | list | tuple):
            value = self._redactor.value(value, "", [])
        text = "" if value is None else str(value).strip()
        text = self._redactor.text(text[-_MAX_TEXT * 2 :] if tail else text[: _MAX_TEXT * 2])
        if len(text) <= _MAX_TEXT:
            return text
        return f"…{text[1 - _MAX_TEXT :]}" if tail else f"{text[: _MAX_TEXT - 1]}…"


def _forms(value: Any) -> Iterator[str]:
    """How a message may show a secret value."""
    if isinstance(value, str) and len(value) >= _MIN_SECRET:
        yield repr(value)
        yield value
    elif isinstance(value, int) and not isinstance(value, bool) and value > 999:
        yield str(value)


def _source(error: BaseException) -> Callable[[Any], Iterable[Fact]] | None:
    """What knows the type of `error`: by the name of one of its classes, and the package of that."""
    for base in mro(type(error)):
        package = module_name(base).partition(".")[0]
        known = SOURCES.get((package, type_name(base).rpartition(".")[2]))
        if known is not None:
            return known
    response = named_entry(instance_dict(error), "response")
    return None if response is None else http_facts
