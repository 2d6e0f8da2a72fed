"""From what a handler returned to JSON text, and where in it the value is that JSON does not have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from relive_base.errors import ReliveError

__all__ = ["BadResult", "check_head", "encode_result", "encode_text", "find_unserialisable", "limit_size"]

_MAX_NODES: Final = 100_000
_MAX_DEPTH: Final = 200
_KEY_TYPES: Final = (str, int, float, bool, type(None))
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHOWN_CHARS: Final = 100


class BadResult(ReliveError):
    """The handler's result cannot be sent."""

    __module__ = "builtins"  # users read its bare name


def check_head(status: int, headers: Iterable[tuple[str, str]]) -> None:
    """Raises BadResult where an HTTP answer has a status or a header that cannot be sent."""
    if not 200 <= status <= 599:
        raise BadResult(f"{status} is not the HTTP status of an answer", remedy="return one from 200 to 599")
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name):
            shown = repr(name[:_SHOWN_CHARS])
            raise BadResult(f"{shown} is not the name of a header", remedy="use letters, digits and -")
        if _CONTROL.search(value):
            raise BadResult(f"the header {name!r} holds control characters", remedy="leave line breaks out")
        if problem := _surrogate(value):
            raise BadResult(f"the header {name!r} is a {problem}", remedy="encode it, for example as base64")


def _default(value: object) -> object:
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)
_ATOMS: Final[dict[object, bytes]] = {None: b"null"}


def encode_result(value: object) -> bytes:
    """JSON text, by the rules of AWS Lambda: json.dumps without NaN; Decimal is a number.

    Raises BadResult with the path of the value that broke.
    """
    if value is None:
        return b"null"
    try:
        return _encoder.encode(value).encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadResult(
            f"the result is not JSON: {find_unserialisable(value) or error}",
            remedy="return dict, list, str, int, float, bool or None",
        ) from None


def encode_text(text: str) -> bytes:
    """The body of an answer. Raises BadResult where UTF-8 cannot carry it."""
    try:
        return str.encode(text)
    except UnicodeEncodeError:
        raise BadResult(
            f"the body is a {_surrogate(text)}", remedy='encode it yourself: text.encode("utf-8", "replace")'
        ) from None


def limit_size(size: int, limit: int) -> None:
    """Raise BadResult where a body of `size` bytes is over `limit`."""
    if size > limit:
        raise BadResult(
            f"the result has {size:,} bytes, over the limit of {limit:,}",
            remedy="return less, or store it and return where it is",
        )


def find_unserialisable(value: object) -> str:
    """The first value that JSON does not have, such as 'result["a"][3]: set'; "" where none is found.

    Looks at 100,000 values and 200 levels at most. Calls no code of the value's own type.
    """
    parents: list[int] = []
    stack: list[tuple[str, object, int]] = [("result", value, 0)]
    seen = 0
    while stack:
        path, node, depth = stack.pop()
        del parents[depth:]
        seen += 1
        if seen > _MAX_NODES:
            return ""
        problem = _problem(node)
        if problem:
            return f"{path}: {problem}"
        if not isinstance(node, dict | list | tuple):
            continue
        if id(node) in parents:
            return f"{path}: a reference to one of its own parents"
        if depth >= _MAX_DEPTH:
            return f"{path}: nested more than {_MAX_DEPTH} levels deep"
        parents.append(id(node))
        children = [(f"{path}[{label}]", child, depth + 1) for label, child in _children(node)]
        bad_key = (
            next((key for key in node if not isinstance(key, _KEY_TYPES)), None)
            if isinstance(node, dict)
            else None
        )
        if bad_key is not None:
            return f"{path}: a key of type {type(bad_key).__name__}"
        stack.extend(reversed(children))
    return ""


def _children(node: dict[object, object] | list[object] | tuple[object, ...]) -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        for key, child in dict.items(node):
            yield json.dumps(key[:60]) if type(key) is str else str(type(key).__name__), child
    else:
        for index in range(min(len(node), _MAX_NODES)):
            yield str(index), node[index]


def _problem(node: object) -> str:
    if node is None or isinstance(node, bool | int | dict | list | tuple):
        return ""
    if isinstance(node, float):
        return "" if node == node and abs(node) != float("inf") else "NaN or an infinity"
    if isinstance(node, str):
        return _surrogate(node)
    if isinstance(node, Decimal):
        return "" if node.is_finite() else "Decimal that is not finite"
    return type(node).__name__


def _surrogate(text: str) -> str:
    try:
        str.encode(text)
    except UnicodeEncodeError as error:
        return f"str with a lone surrogate at index {error.start}"
    return ""
