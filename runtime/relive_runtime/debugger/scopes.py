"""Code that a debugger runs in a frame's namespaces, with scopes of its own in it: comprehensions, generator
expressions, lambdas, functions.

Such a scope looks names up as globals, so before Python 3.13 pdb says NameError for each local in it. Here it
finds them: it runs on one namespace that has both, and what it writes there goes where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import CodeType
from typing import Any

__all__ = ["both_namespaces", "has_scopes"]


def has_scopes(code: CodeType) -> bool:
    """Whether there is a scope of its own in `code`."""
    return any(type(constant) is CodeType for constant in code.co_consts)


@contextmanager
def both_namespaces(
    own_globals: dict[str, Any], own_locals: MutableMapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Globals for the code, with the locals in them. What it binds there goes to the locals if it is one of
    them or new, else to the globals of the frame."""
    merged = {**own_globals, **own_locals}
    before = dict(merged)
    try:
        yield merged
    finally:
        merged.pop("__builtins__", None)
        for name, value in merged.items():
            if name in before and before[name] is value:
                continue
            if name in own_globals and name not in own_locals:
                own_globals[name] = value
            else:
                own_locals[name] = value
