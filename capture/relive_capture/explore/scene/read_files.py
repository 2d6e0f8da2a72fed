"""Files and variables that an invocation read, as they are written into its scene: without secrets."""

from __future__ import annotations

import zlib
from collections import Counter
from typing import Final

from relive_base.parts import Reason, Why
from relive_base.redaction.redactor import Redactor

from relive_capture.recording_format import RecordedFile, ReplayNotes

__all__ = ["clean_files", "clean_variables", "file_reasons"]

_UNPACKED_BYTES: Final = 4 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_SHOWN: Final = 5
_WHY: Final = {
    "large": "too large",
    "changed": "another one by the time of the failure",
    "denied": "not readable",
    "secret": "secret by their names",
    "packed": "compressed, and so not to be searched for secrets",
}


def clean_files(files: list[RecordedFile], redactor: Redactor, places: list[str]) -> None:
    """In place: contents without secrets; none of what is secret by its name."""
    for file in files:
        path = redactor.text(file.path)
        if path is not file.path:
            places.append(f"files[{path}]")
            file.path = path
        if not file.content:
            continue
        if any(redactor.secret_key(part) for part in file.path.split("/")[-2:]):
            file.content, file.why = b"", "secret"
            places.append(f"files[{file.path}]")
        elif file.content.startswith(_GZIP):
            _clean_packed(file, redactor, places)
        else:
            file.content = redactor.json_bytes(file.content, f"files[{file.path}]", places)
        file.names = [redactor.key(name) for name in file.names]


def _clean_packed(file: RecordedFile, redactor: Redactor, places: list[str]) -> None:
    """A gzip file is kept if what is in it can be looked into, and has no secret."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        plain = unpacking.decompress(file.content, _UNPACKED_BYTES)
    except zlib.error:
        plain = b""
    if not unpacking.eof or unpacking.unused_data or redactor.json_bytes(plain) is not plain:
        file.content, file.why = b"", "packed"
        places.append(f"files[{file.path}]")


def clean_variables(notes: ReplayNotes, redactor: Redactor, places: list[str]) -> None:
    """Variables without secrets: those that have one are left out, and named."""
    kept: dict[str, str | None] = {}
    for name, value in notes.variables.items():
        if value is not None and (redactor.is_secret(name, value) or redactor.text(value) is not value):
            notes.hidden.append(redactor.key(name))
        else:
            kept[redactor.key(name)] = value
    notes.variables = kept
    places.extend(f"variables.{name}" for name in notes.hidden)


def file_reasons(notes: ReplayNotes) -> list[Reason]:
    """What a replay has to do without."""
    found = []
    files = notes.init_files + notes.files
    counts = Counter(file.why for file in files if file.why in _WHY)
    for why, count in counts.items():
        named = ", ".join(file.path for file in files if file.why == why)
        found.append(Reason(Why.FILES_NOT_KEPT, (count, f"{_WHY[why]} ({_cut(named)})")))
    if notes.programs:
        found.append(Reason(Why.PROGRAMS, (", ".join(notes.programs[:_SHOWN]),)))
    return found


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]} ..."
