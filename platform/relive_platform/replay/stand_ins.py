"""Values that stand for secrets if code wants one of that shape: in a test that lies beside the code."""

from __future__ import annotations

import json
import re
from typing import Final

from relive_base.redaction.redactor import PLACEHOLDER, Redactor

__all__ = ["stand_in"]

_STAND_IN: Final = "stand-in"
_MAX_CHARS: Final = 4_096


def stand_in(name: str, value: str, redactor: Redactor) -> str:
    """`value` if it is no secret. Else one that code can work with as if it were: of what is a secret as a
    whole, letters become letters and digits digits (`AKID...1` -> `AAAA...0`), in JSON the texts alone; of an
    address with a password in it, only that is replaced."""
    if not redactor.is_secret(name, value):
        return redactor.text(value).replace(PLACEHOLDER, _STAND_IN)
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict | list):
        return json.dumps(_shaped_json(found))
    return _shaped(value[:_MAX_CHARS])


def _shaped(text: str) -> str:
    text = re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"[0-9]", "0", text)))
    return re.sub(r"[^\x00-\x7f]", "a", text)


def _shaped_json(value: object) -> object:
    if isinstance(value, str):
        return _shaped(value)
    if isinstance(value, list):
        return [_shaped_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _shaped_json(item) for key, item in value.items()}
    return value if isinstance(value, bool) or value is None else 0
