"""Scene archives of a few kilobytes that would be gigabytes, or minutes, for somebody who trusts them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

__all__ = ["BOMBS", "REFUSED", "scene_of"]

MANIFEST = {"schema": 1, "invocation_id": "i", "attempt": 1, "function": "f", "error": {"type": "E"}}


def scene_of(members: dict[str, bytes], **manifest: Any) -> bytes:
    """An archive with a manifest and these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", json.dumps({**MANIFEST, **manifest}))
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def _exceptions(frames: list[dict[str, Any]]) -> bytes:
    return json.dumps([{"type": "E", "frames": frames}]).encode()


def _frame(number: int, **more: Any) -> dict[str, Any]:
    return {"file": "app.py", "line": number, "function": "f", "in_app": True, **more}


def _entries(count: int) -> bytes:
    """A zip that is almost only its directory: each entry costs 500 bytes of memory for 46 of its own."""
    whole = scene_of({})
    end = whole.rindex(b"PK\x05\x06")
    start = whole.rindex(b"PK\x01\x02")
    entry = whole[start:end]
    directory = entry * count
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), start, 0)
    return whole[:start] + directory + tail


def _overlapping(count: int) -> bytes:
    """Entries of different names that all mean the same packed bytes."""
    whole = scene_of({"aaaa.bin": b"\0" * (4 << 20)})
    end = whole.rindex(b"PK\x05\x06")
    start = whole.rindex(b"PK\x01\x02")
    entry = whole[start:end]
    others = b"".join(entry.replace(b"aaaa", b"%04d" % number) for number in range(count))
    first = whole.index(b"PK\x01\x02")
    directory = whole[first:end] + others
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count + 2, count + 2, len(directory), first, 0)
    return whole[:first] + directory + tail


def _lying(told: int) -> bytes:
    """A member of 60 MB whose headers say that it has `told` bytes."""
    whole = bytearray(scene_of({"event.bin": b"\0" * (19 << 20)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = whole.rindex(signature)
        struct.pack_into("<L", whole, at + offset, told)
    return bytes(whole)


def _zip64() -> bytes:
    whole = scene_of({})
    end = whole.rindex(b"PK\x05\x06")
    return whole[:end] + struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1) + whole[end:]


def _named(name: bytes, count: int = 1) -> bytes:
    """A member with a name that no zip library writes."""
    whole = scene_of({f"{number:0{len(name)}}"[: len(name)]: b"x" for number in range(count)})
    for number in range(count):
        whole = whole.replace(f"{number:0{len(name)}}".encode(), name)
    return whole


def _nested_zip() -> bytes:
    data = b"\0" * (10 << 20)
    for _ in range(5):
        data = scene_of({f"{number}.scene": data for number in range(3)})
    return data


def _references() -> bytes:
    """One local with a text of a megabyte, that thousands of frames refer to."""
    value = {"type": "str", "text": "x" * (1 << 20), "id": 7}
    first = _frame(1, locals=[["x", value]])
    other = _frame(2, locals=[["x", {"type": "str", "id": 7, "ref": True}]])
    return _exceptions([first, *([other] * 9_000)])


def _wide_references() -> bytes:
    children = [[str(number), {"type": "int", "text": "1"}] for number in range(5_000)]
    first = _frame(1, locals=[["x", {"type": "list", "id": 7, "children": children}]])
    other = _frame(2, locals=[["x", {"type": "list", "id": 7, "ref": True}]])
    return _exceptions([first, *([other] * 9_000)])


def _groups(depth: int) -> bytes:
    return b'[{"type":"G","group":' * depth + b"[]" + b"}]" * depth


BOMBS: dict[str, Callable[[], bytes]] = {
    "indented": lambda: scene_of({"event.bin": b"[" * 99 + b"1," * 2_000_000 + b"1" + b"]" * 99}),
    "indented deeper": lambda: scene_of({"event.bin": b"[" * 900 + b"1," * 2_000_000 + b"1" + b"]" * 900}),
    "many lists": lambda: scene_of({"event.bin": b"[" + b"[]," * 6_000_000 + b"[]]"}),
    "many strings": lambda: scene_of({"event.bin": b"[" + b'"ab",' * 3_000_000 + b'""]'}),
    "many exceptions": lambda: scene_of({"exception.json": b"[" + b'{"type":""},' * 1_500_000 + b"{}]"}),
    "many attributes": lambda: scene_of({"context.json": b'{"a":[' + b"[]," * 6_000_000 + b"1]}"}),
    "many lines": lambda: scene_of({"logs.jsonl": b"\n" * (19 << 20)}),
    "many log lines": lambda: scene_of(
        {"logs.jsonl": b'{"timestamp_ns":1,"severity":"","body":""}\n' * 450_000}
    ),
    "texts referred to": lambda: scene_of({"exception.json": _references()}),
    "trees referred to": lambda: scene_of({"exception.json": _wide_references()}),
    "a source that all frames have": lambda: scene_of(
        {
            "exception.json": _exceptions([_frame(number) for number in range(9_000)]),
            "source/app.py": b"x\n" * (9 << 20),
        }
    ),
    "deep groups": lambda: scene_of({"exception.json": _groups(400)}),
    "deep context": lambda: scene_of({"context.json": b'{"http":{"a":' + b"[" * 800 + b"]" * 800 + b"}}"}),
    "a number of a million digits": lambda: scene_of({"event.bin": b'{"a": ' + b"9" * 1_000_000 + b"}"}),
    "a long line": lambda: scene_of(
        {"exception.json": _exceptions([_frame(1, source=["\t" * (8 << 20)], source_first_line=1, column=5)])}
    ),
    "a long name": lambda: scene_of({"exception.json": _exceptions([_frame(1, function="f" * (8 << 20))])}),
    "zips in zips": _nested_zip,
    "a directory of a million": lambda: _entries(1_000_000),
    "overlapping": lambda: _overlapping(200),
    "smaller than it is": lambda: _lying(10),
    "larger than it is": lambda: _lying(60 << 20),
    "nothing but ones": lambda: scene_of(
        dict.fromkeys(("event.bin", "context.json", "spans.json", "profile.json"), b"1" * (15 << 20))
    ),
}
"""Opened or refused, but never with much memory or time."""

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip64": (_zip64, "zip64"),
    "a NUL in a name": (lambda: _named(b"a\0b.json"), "not printable"),
    "a backslash": (lambda: _named(b"..\\..\\a.json"), "leads out"),
    "a backslash alone": (lambda: _named(b"a\\b.json"), "leads out"),
    "a drive": (lambda: _named(b"C:evil.json"), "leads out"),
    "here": (lambda: _named(b"./a/./b.json"), "leads out"),
    "twice": (lambda: _named(b"same.json", 2), "there twice"),
    "overlapping": (lambda: _overlapping(3), "overlaps"),
    "a directory of a million": (lambda: _entries(100_000), "directory"),
    "not UTF-8": (lambda: _named(b"\xff\xfe\x9b31m.jsn"), "not printable"),
    "an id with a command": (lambda: scene_of({}, invocation_id="x; rm -rf ~"), "not an id"),
    "an id with an escape": (lambda: scene_of({}, trace_id="\x1b[2J"), "not an id"),
}
"""Refused at once, in words that say this."""
