"""Names of applications, functions and queues: what they may be, and which one was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Final, TypeVar

from relive_base.errors import ReliveError

__all__ = ["NAME", "NAME_HINT", "unknown_id_or_name", "unknown_name"]

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NAME_HINT: Final = "use 1 to 64 of a-z, A-Z, 0-9, _ and -"

_ID: Final = re.compile(r"[0-9a-f]{6,32}")  # or the beginning of one, without dashes

E = TypeVar("E", bound=ReliveError)


def unknown_name(error: type[E], kind: str, name: str, known: Collection[str], listed_by: str) -> E:
    """An `error` for a `name` that is none of `known`. `listed_by`: the command that lists them."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    if close:
        hint = f"did you mean {close[0]}? `{listed_by}` lists them"
    else:
        hint = f"`{listed_by}` lists them" if known else "there is none yet: `relive deploy PATH` adds some"
    return error(f"there is no {kind} {name!r}", hint=hint)


def unknown_id_or_name(error: E, kind: str, text: str, known: Collection[str], listed_by: str) -> E:
    """`error` itself for a `text` that looks like an id; else one of its type that says which of `known` may
    be meant. `kind`: what else beside a function the text may have named."""
    if _ID.fullmatch(text.lower().replace("-", "")):
        return error
    return unknown_name(type(error), f"function and no {kind}", text, known, listed_by)
