"""Answers that somebody gives to calls which a recording has none for.

As they are written: `orders={"id": 7}`, `orders=@answer.json`,
`GET https://example.org/rate?to=EUR={"rate": 1.1}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from relive_base.errors import UsageError
from relive_base.terminal import one_line
from relive_capture.recording_format import GivenAnswer

__all__ = ["read_answer", "read_answers"]

_BYTES: Final = 8 * 1_048_576
_MOST: Final = 200
_HINT: Final = "name the call, and give its answer as JSON: --answer orders='{\"id\": 7}', or orders=@FILE"


def read_answers(texts: Iterable[str]) -> list[GivenAnswer]:
    """Raises UsageError."""
    answers = [read_answer(text) for text in texts]
    if len(answers) > _MOST:
        raise UsageError(f"{len(answers)} answers are over the limit of {_MOST}", hint="leave some out")
    return answers


def read_answer(text: str) -> GivenAnswer:
    """The first "=" with JSON or @FILE behind it ends the name: URLs may have others. Raises UsageError."""
    at = text.find("=")
    while at > 0:
        rest = text[at + 1 :]
        if rest.startswith("@"):
            return GivenAnswer(text[:at].strip(), _json(_read(rest[1:]), rest[1:]))
        try:
            json.loads(rest)
        except (ValueError, RecursionError):
            at = text.find("=", at + 1)
        else:
            return GivenAnswer(text[:at].strip(), rest.encode())
    raise UsageError(f"{one_line(text, 100)} is no answer", hint=_HINT)


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the answer cannot be read: {error.strerror}", where=path, hint=_HINT) from None
    if len(data) > _BYTES:
        raise UsageError(f"the answer is over the limit of {_BYTES:,} bytes", where=path)
    return data


def _json(data: bytes, where: str) -> bytes:
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the answer is not JSON: {error}", where=where, hint=_HINT) from None
    return data
