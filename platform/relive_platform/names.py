"""Names that nobody knows: an error that says which name was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import TypeVar

from relive_base.errors import ReliveError

__all__ = ["unknown_name"]

E = TypeVar("E", bound=ReliveError)


def unknown_name(error: type[E], kind: str, name: str, known: Collection[str], listed_by: str) -> E:
    """An `error` for a `name` that is none of `known`. `listed_by`: the command that lists them."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    if close:
        hint = f"did you mean {close[0]}? `{listed_by}` lists them"
    else:
        hint = f"`{listed_by}` lists them" if known else "there is none yet: `relive deploy PATH` adds some"
    return error(f"there is no {kind} {name!r}", hint=hint)
