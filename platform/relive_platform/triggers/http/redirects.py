"""Redirects of event functions that are called at /fn/NAME/.

Such a function sees the path below its URL, as on AWS Lambda, and cannot know what stands before it: a
redirect of its framework would lead out of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["below"]

_LOCATION: Final = re.compile(rb"(?:^|(?<=\r\n))location: ([^\r\n]*)")
_URL: Final = re.compile(rb"(https?://([^/?#]*))?(/[^?#]*)?(.*)", re.DOTALL | re.IGNORECASE)


def below(head: bytes, mount: str, host: bytes, is_route: Callable[[str], bool]) -> bytes:
    """The header lines of a response, with its own `location` below `mount`.

    Left as it is: what leads to another host or to the path of an http trigger, and what is below it already.
    """

    def replaced(match: re.Match[bytes]) -> bytes:
        return b"location: " + _placed(match[1], mount, host, is_route)

    return _LOCATION.sub(replaced, head)


def _placed(location: bytes, mount: str, host: bytes, is_route: Callable[[str], bool]) -> bytes:
    match = _URL.fullmatch(location)
    if match is None or location.startswith(b"//"):
        return location
    origin, authority, path, rest = match.groups()
    if origin is None and path is None:
        return location  # relative to where the client is
    if origin is not None and authority.lower() != host.lower():
        return location
    text = (path or b"/").decode("latin-1")
    if text == mount or text.startswith(mount + "/") or is_route(text):
        return location
    return b"".join((origin or b"", mount.encode("latin-1"), path or b"/", rest))
