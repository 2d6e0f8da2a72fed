"""What `relive.toml` says of functions that hear of others' records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

import msgspec

from relive_platform.names import NAME, NAME_HINT
from relive_platform.subscriptions.filters import BadFilter, compile_filter
from relive_platform.subscriptions.rules import ALL, Hears, Rule
from relive_platform.triggers.base import Key, TriggerConfig

__all__ = ["FailureTrigger", "LogsTrigger"]

_SEVERITIES: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
_FUNCTIONS: Final = Key("texts", "Functions that it hears of. Default: `*`, all but itself.")
_EXCLUDE: Final = Key("texts", "Functions that it does not hear of.")


class _Listening(TriggerConfig, frozen=True, kw_only=True):
    """What both kinds have."""

    functions: tuple[str, ...] = (ALL,)
    exclude: tuple[str, ...] = ()

    def problems(self) -> Iterator[tuple[str, str, str]]:
        for key in ("functions", "exclude"):
            for name in getattr(self, key):
                if not NAME.fullmatch(name) and not (name == ALL and key == "functions"):
                    yield key, f"the function's name {name!r} is not allowed", NAME_HINT
        if not self.functions:
            yield "functions", "no function is named", "leave it out for all"

    def hears(self) -> Hears:
        return Hears(self.functions, self.exclude)

    def rule(self, function: str) -> Rule:
        """For the collector's process."""
        raise NotImplementedError

    def _ident(self, function: str) -> str:
        text = b"\0".join((function.encode(), msgspec.json.encode(self, order="deterministic")))
        return f"{function}/{hashlib.blake2b(text, digest_size=6).hexdigest()}"


class LogsTrigger(_Listening, frozen=True, tag="logs", kw_only=True):
    """Batches of log lines that fit."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "functions": _FUNCTIONS,
        "exclude": _EXCLUDE,
        "filter": Key("text", "Filter pattern of CloudWatch Logs. Default: all lines."),
        "severity": Key("text", "The least severity. Default: any.", choices=tuple(_SEVERITIES)),
        "shape": Key("text", "What the function gets.", choices=("cloudwatch", "plain")),
    }

    filter: str = ""
    severity: str = ""
    shape: str = "cloudwatch"

    def describe(self) -> str:
        """As people read it: "logs checkout ERROR"."""
        parts = ("logs", ",".join(self.functions), self.severity, self.filter)
        return " ".join(part for part in parts if part)

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from super().problems()
        try:
            compile_filter(self.filter)
        except BadFilter as error:
            yield "filter", error.message, error.hint

    def rule(self, function: str) -> Rule:
        """For the collector's process."""
        return Rule(
            ident=self._ident(function),
            function=function,
            kind="logs",
            of=self.hears(),
            filter=self.filter,
            severity=_SEVERITIES.get(self.severity, 0),
        )


class FailureTrigger(_Listening, frozen=True, tag="failure", kw_only=True):
    """Failures: the first of each group, or all."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "functions": _FUNCTIONS,
        "exclude": _EXCLUDE,
        "every": Key("flag", "Each failure, not only the first of its group."),
    }

    every: bool = False

    def describe(self) -> str:
        """As people read it: "failure checkout"."""
        return " ".join(("failure", ",".join(self.functions), *(["every"] if self.every else [])))

    def rule(self, function: str) -> Rule:
        """For the collector's process."""
        return Rule(
            ident=self._ident(function), function=function, kind="failures", of=self.hears(), every=self.every
        )
