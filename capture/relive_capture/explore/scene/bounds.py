"""What a scene archive may hold. All of it is checked before anything is unpacked or built of it."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import Final

from relive_capture.explore.errors import SceneError
from relive_capture.explore.scene.names import is_safe_name
from relive_capture.explore.snapshots import HeapLimits

__all__ = ["Limits", "Spending", "check_directory", "check_members"]

_HEAP_LIMITS: Final = HeapLimits()
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_MAX_COMMENT: Final = 1 << 16
_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may hold."""

    archive_bytes: int = 64 * 1024 * 1024
    members: int = 1_000
    name_chars: int = 400
    member_bytes: int = 64 * 1024 * 1024
    total_bytes: int = 256 * 1024 * 1024
    ratio: int = 250  # expanded to packed, for members over ratio_from_bytes
    ratio_from_bytes: int = 20 * 1024 * 1024
    directory_bytes: int = 1024 * 1024  # of the zip's own list of members
    json_bytes: int = 48 * 1024 * 1024  # of all JSON that is decoded
    json_values: int = 600_000  # in all of it: objects, lists, and a fourth of the commas
    json_depth: int = 100
    source_bytes: int = 1024 * 1024  # of one source file
    log_lines: int = 50_000
    depth: int = 32  # of a value tree, and of groups within groups
    exceptions: int = 1_000
    frames: int = 20_000
    heap: HeapLimits = _HEAP_LIMITS


class Spending:
    """What the JSON of one scene has used of its limits. A few bytes of JSON can be many times as much
    memory, so what is counted is what makes it large: objects, lists, and what commas part."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = limits.json_bytes
        self._values = limits.json_values

    def take(self, data: bytes) -> str:
        """Count a member that is about to be decoded; why it must not be, or ""."""
        self._bytes -= len(data)
        if self._bytes < 0:
            return f"the JSON of the scene is over the limit of {self._limits.json_bytes} bytes"
        self._values -= data.count(b"{") + data.count(b"[") + data.count(b",") // 4
        if self._values < 0:
            return f"the JSON of the scene has more than {self._limits.json_values} values"
        return ""


def check_directory(data: bytes, limits: Limits, where: str) -> None:
    """Look at a zip's directory before it is read: each of its entries costs much more memory than its bytes.
    Raises SceneError."""
    end = len(data) - _END_BYTES
    if end < 0:
        return  # too short for a zip, as its reader will say
    if data[end : end + 4] != _END or data[-2:] != b"\0\0":
        end = data.rfind(_END, max(end - _MAX_COMMENT, 0))
        if end < 0 or end + _END_BYTES > len(data):
            return
    locator = end - _ZIP64_LOCATOR_BYTES
    if locator >= 0 and data[locator : locator + 4] == _ZIP64_LOCATOR:
        raise SceneError("a zip64 archive: scenes are never that large", where=where)
    (size,) = struct.unpack_from("<I", data, end + 12)
    if size > limits.directory_bytes:
        raise SceneError(
            f"its directory of {size} bytes is over the limit of {limits.directory_bytes}", where=where
        )


def check_members(infos: list[zipfile.ZipInfo], limits: Limits, where: str) -> None:
    """Number, names, sizes and ratios of all members. Raises SceneError."""
    if len(infos) > limits.members:
        raise SceneError(f"{len(infos)} members are over the limit of {limits.members}", where=where)
    seen: set[str] = set()
    total = 0
    for info in infos:
        reason = _objection(info, limits) or ("it is there twice" if info.filename in seen else "")
        if reason:
            raise SceneError(f"member {info.filename[:100]!r}: {reason}", where=where)
        seen.add(info.filename)
        total += info.file_size
    if total > limits.total_bytes:
        raise SceneError(f"{total} bytes unpacked are over the limit of {limits.total_bytes}", where=where)
    _check_overlaps(infos, where)


def _check_overlaps(infos: list[zipfile.ZipInfo], where: str) -> None:
    """Members that share their packed bytes are a zip bomb."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise SceneError(f"member {info.filename[:100]!r}: it overlaps another one", where=where)
        end = info.header_offset + info.compress_size


def _objection(info: zipfile.ZipInfo, limits: Limits) -> str:
    """Why a member must not be opened, or ""."""
    name = info.orig_filename  # filename ends at a NUL
    if not name or len(name) > limits.name_chars or not name.isprintable():
        return "its name is empty, too long or not printable"
    if not is_safe_name(name, limits.name_chars):
        return "its name leads out of the archive"
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"compression method {info.compress_type} is not supported"
    if info.file_size > limits.member_bytes:
        return f"{info.file_size} bytes are over the limit of {limits.member_bytes}"
    if info.file_size > limits.ratio_from_bytes and info.file_size > info.compress_size * limits.ratio:
        return f"it expands more than {limits.ratio} times"
    return ""
