"""From what a handler returned to JSON text, and where in it the value is that JSON does not have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from relive_base.errors import ReliveError
from relive_capture.record import find_unserialisable

__all__ = ["BadResult", "check_head", "encode_result", "encode_text", "limit_size"]

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHOWN_CHARS: Final = 100


class BadResult(ReliveError):
    """The handler's result cannot be sent. `place`: where inside it the trouble is, and what."""

    __module__ = "builtins"  # users read its bare name
    place: tuple[str, str] = ("", "")


def check_head(status: int, headers: Iterable[tuple[str, str]]) -> None:
    """Raises BadResult if an HTTP answer has a status or a header that cannot be sent."""
    if not 200 <= status <= 599:
        raise BadResult(f"{status} is not the HTTP status of an answer", hint="return one from 200 to 599")
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name):
            shown = repr(name[:_SHOWN_CHARS])
            raise BadResult(f"{shown} is not the name of a header", hint="use letters, digits and -")
        if _CONTROL.search(value):
            raise BadResult(f"the header {name!r} holds control characters", hint="leave line breaks out")
        if not value.isascii() and (problem := _surrogate(value)):
            raise BadResult(f"the header {name!r} is a {problem}", hint="encode it, for example as base64")


def _default(value: object) -> object:
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)


def encode_result(value: object, root: str = "result") -> bytes:
    """JSON text, by the rules of AWS Lambda: json.dumps without NaN; Decimal is a number.

    Raises BadResult with the path of the value that broke. `root`: what the value is, if it is a part.
    """
    if value is None:
        return b"null"
    try:
        return _encoder.encode(value).encode()
    except (TypeError, ValueError, OverflowError, RecursionError, ArithmeticError) as error:
        raise _bad(value, root, error) from None


def _bad(value: object, root: str, error: Exception) -> BadResult:
    path, reason = find_unserialisable(value, root)
    bad = BadResult(
        f"the result is not JSON: {f'{path}: {reason}' if path else error}",
        hint="return dict, list, str, int, float, bool or None",
    )
    bad.place = path, reason
    return bad


def encode_text(text: str) -> bytes:
    """The body of an answer. Raises BadResult if UTF-8 cannot carry it."""
    try:
        return str.encode(text)
    except UnicodeEncodeError:
        raise BadResult(
            f"the body is a {_surrogate(text)}", hint='encode it yourself: text.encode("utf-8", "replace")'
        ) from None


def limit_size(size: int, limit: int) -> None:
    """Raise BadResult if a body of `size` bytes is over `limit`."""
    if size > limit:
        raise BadResult(
            f"the result has {size:,} bytes, over the limit of {limit:,}",
            hint="return less, or store it and return if it is",
        )


def _surrogate(text: str) -> str:
    return find_unserialisable(text)[1]
