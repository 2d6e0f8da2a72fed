"""Which records functions want to hear of: a file that the server writes and the collector's process
reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from relive_platform.subscriptions.filters import BadFilter, Filter, compile_filter

__all__ = ["ALL", "Hears", "Rule", "Rules", "write_rules"]

ALL: Final = "*"


class Hears(msgspec.Struct, frozen=True):
    """Functions whose records one wants; ALL is each but itself."""

    functions: tuple[str, ...] = (ALL,)
    exclude: tuple[str, ...] = ()

    def hears(self, listener: str, function: str) -> bool:
        """Whether `listener` is told of a record of `function`."""
        if function == listener or function in self.exclude:
            return False
        return ALL in self.functions or function in self.functions


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger. `ident` is its own as long as it does not change."""

    ident: str
    function: str  # that wants to hear
    kind: str  # "logs" | "failures"
    of: Hears = Hears()
    filter: str = ""  # of logs
    severity: int = 0  # of logs: at least this number
    every: bool = False  # of failures: each, not only the first of a group


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(list[Rule])


def write_rules(path: Path, rules: list[Rule]) -> None:
    """Blocks. What reads it sees the old file or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_bytes(_encoder.encode(rules))
    draft.replace(path)


class Rules:
    """The file as it is now; looked at for each batch, read when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._rules: list[tuple[Rule, Filter]] = []

    def current(self) -> list[tuple[Rule, Filter]]:
        """Each with its filter. Never raises: without a file there are none."""
        try:
            found = os.stat(self._path)
        except OSError:
            self._seen, self._rules = None, []
            return self._rules
        seen = found.st_mtime_ns, found.st_ino
        if seen != self._seen:
            try:
                rules = _decoder.decode(self._path.read_bytes())
                self._rules = [(rule, compile_filter(rule.filter)) for rule in rules]
            except (OSError, msgspec.MsgspecError, BadFilter):
                return self._rules  # half a moment later it is whole
            self._seen = seen
        return self._rules
