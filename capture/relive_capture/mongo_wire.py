"""MongoDB's wire protocol: what a client asks and a server answers, as documents (bson_values.py)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from relive_capture.bson_values import document, packed

__all__ = ["COMPRESSED", "Command", "answer_message", "answers", "command", "split"]

COMPRESSED: Final = 2012
_MESSAGE: Final = 2013
_QUERY: Final = 2004
_REPLY: Final = 1
_HEADER: Final = struct.Struct("<iiii")
_HEADER_BYTES: Final = 16
_INT32: Final = struct.Struct("<i")
_SHORTEST: Final = 10
_CHECKSUM: Final = 1
_MORE_TO_COME: Final = 2
_EXHAUST: Final = 1 << 16
_DOCUMENTS: Final = 100_000
_VOLATILE: Final = ("lsid", "txnNumber", "$clusterTime", "$db", "maxTimeMS")
"""What may be another one each time: the session's id and counters, and what is left of a time limit."""


class Command(NamedTuple):
    """What a client asks. `whole` False: not all of its documents are there."""

    name: str
    statement: str  # "find shop.orders"
    arguments: dict[str, Any]
    whole: bool = True
    answered: bool = True  # False: the client does not wait for an answer
    streamed: bool = False  # there may be several answers


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(code, request id, content) of each message; the last one may not be all there."""
    at = 0
    while at + _HEADER_BYTES <= len(data):
        size, request_id, _, code = _HEADER.unpack_from(data, at)
        if size < _HEADER_BYTES:
            raise ValueError("a message of the wrong size")
        yield code, request_id, data[at + _HEADER_BYTES : at + size]
        at += size


def command(code: int, content: bytes) -> Command:
    """Raises ValueError for what is no message of a client, or has not even its first document."""
    if code == _QUERY:
        at = content.index(b"\0", 4) + 9
        return _named(document(content, at)[0])
    if code != _MESSAGE or len(content) < _SHORTEST:
        raise ValueError(f"a message of kind {code}")
    flags = _INT32.unpack_from(content)[0]
    found, whole = _sections(content[:-4] if flags & _CHECKSUM else content)
    made = _named(found)
    return made._replace(whole=whole, answered=not flags & _MORE_TO_COME, streamed=bool(flags & _EXHAUST))


def _sections(content: bytes) -> tuple[dict[str, Any], bool]:
    """(the document, with the lists of documents that are sent beside it; whether they are all there)."""
    found: dict[str, Any] = {}
    at = 4
    while at < len(content):
        kind = content[at]
        if kind == 0:
            body, at = document(content, at + 1)
            found = {**body, **found}
        elif kind == 1 and at + 5 <= len(content):
            end = at + 1 + _INT32.unpack_from(content, at + 1)[0]
            if end > len(content):
                return found, False
            name_end = content.index(b"\0", at + 5)
            found[content[at + 5 : name_end].decode()] = list(_documents(content[:end], name_end + 1))
            at = end
        else:
            raise ValueError("a section of an unknown kind")
    return found, True


def _documents(data: bytes, at: int) -> Iterator[dict[str, Any]]:
    for _ in range(_DOCUMENTS):
        if at >= len(data):
            return
        found, at = document(data, at)
        yield found


def _named(found: dict[str, Any]) -> Command:
    if "$doc" in found:
        found = {str(name): value for name, value in found["$doc"]}
    name = next(iter(found), "")
    database = found.get("$db")
    place = str(database) if isinstance(database, str) else ""
    arguments = {key: value for key, value in found.items() if key not in _VOLATILE}
    subject = found.get("collection") if name == "getMore" else found.get(name)
    if isinstance(subject, str):
        place = f"{place}.{subject}"
        arguments.pop("collection" if name == "getMore" else name)
    elif isinstance(subject, int):
        arguments.pop(name)
    concern = arguments.get("readConcern")
    if isinstance(concern, dict):
        arguments["readConcern"] = {key: item for key, item in concern.items() if key != "afterClusterTime"}
    return Command(name[:200], f"{name} {place}".strip()[:1_000], arguments)


# ---------------------------------------------------------------- answers


def answers(data: bytes) -> Iterator[dict[str, Any]]:
    """The documents that a server answers with, as far as they are all there. Raises ValueError."""
    for code, _, content in split(data):
        at = 5 if code == _MESSAGE else 20 if code == _REPLY else 0
        if not at:
            raise ValueError(f"a message of kind {code}")
        try:
            yield document(content, at)[0]
        except ValueError:
            return


def answer_message(code: int, request_id: int, value: dict[str, Any], *, more: bool = False) -> bytes:
    """A document as the message that answers one of kind `code`. Raises ValueError."""
    content = packed(value)
    if code == _QUERY:
        kind, before = _REPLY, struct.pack("<iqii", 8, 0, 0, 1)
    else:
        kind, before = _MESSAGE, _INT32.pack(_MORE_TO_COME if more else 0) + b"\0"
    size = _HEADER_BYTES + len(before) + len(content)
    return _HEADER.pack(size, 0, request_id, kind) + before + content
