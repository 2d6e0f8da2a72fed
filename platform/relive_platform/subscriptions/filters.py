"""Filter patterns of CloudWatch Logs: words of a line, or fields of a line that is JSON.

Regular expressions (`%...%`) and space-delimited patterns (`[ip, user]`) are not among them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from relive_platform.subscriptions.errors import BadFilter
from relive_platform.subscriptions.json_filter import parse_json_filter

__all__ = ["BadFilter", "Filter", "compile_filter"]

Filter = Callable[[str], bool]
_CHARS: Final = 1_024  # as CloudWatch has it
_TERM: Final = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?:\s+|$)')
_JSON_CHARS: Final = 262_144  # of a longer line only the words are looked at


def compile_filter(pattern: str) -> Filter:
    """Whether a line fits. An empty pattern fits all. Raises BadFilter."""
    text = pattern.strip()
    if len(text) > _CHARS:
        raise BadFilter(f"the filter has over {_CHARS:,} characters", hint="make it shorter")
    if not text:
        return lambda line: True
    if text.startswith("{"):
        return _of_json(parse_json_filter(text))
    if text.startswith(("[", "%")):
        raise BadFilter(
            "space-delimited patterns and regular expressions are not supported",
            hint='write words, as in ERROR -"health check", or fields of JSON, as in { $.level = "error" }',
        )
    return _of_words(text)


def _of_words(text: str) -> Filter:
    wanted: list[str] = []
    unwanted: list[str] = []
    optional: list[str] = []
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise BadFilter(
                f"the filter cannot be read from {text[at : at + 20]!r} on", hint="close the quotes"
            )
        at = match.end()
        word = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        if word.startswith("%"):
            raise BadFilter("regular expressions are not supported", hint="write words")
        {"-": unwanted, "?": optional, "": wanted}[match[1]].append(word)
    if wanted:
        optional = []  # as CloudWatch does it: beside words that are needed they do not count
    return lambda line: (
        all(word in line for word in wanted)
        and not any(word in line for word in unwanted)
        and (not optional or any(word in line for word in optional))
    )


def _of_json(test: Callable[[Any], bool]) -> Filter:
    def fits(line: str) -> bool:
        if not line.lstrip().startswith("{") or len(line) > _JSON_CHARS:
            return False
        try:
            return test(json.loads(line))
        except (ValueError, RecursionError):
            return False

    return fits
