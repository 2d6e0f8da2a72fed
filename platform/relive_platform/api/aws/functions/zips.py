"""The zips that code and layers came as: kept to be downloaded again, as long as a version has them."""

from __future__ import annotations

import base64
import contextlib
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["KeptZips"]

_AT: Final = "/_relive/packages/"
_PATH: Final = re.compile(r"/_relive/packages/([0-9a-f]{64})\.zip")
_STALE_DRAFT_S: Final = 3_600.0  # a server was killed while it wrote that


class KeptZips:
    """In the home's `packages/`, named by their hash, so that the same zip is there once. Methods may be
    called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._coming: Counter[str] = Counter()  # zips of versions that are being made

    @contextlib.contextmanager
    def keeping(self, name: str, data: bytes) -> Iterator[None]:
        """Keep a zip as it came, by its hash in hexadecimal; within the block the version that has it is
        made. It blocks."""
        with self._lock:
            self._coming[name] += 1
        try:
            self._write(name, data)
            yield
        finally:
            with self._lock:
                self._coming -= Counter([name])

    def _write(self, name: str, data: bytes) -> None:
        place = self._place(name)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f".{name}.{secrets.token_hex(4)}")
            draft.write_bytes(data)
            draft.replace(place)

    def path_of(self, sha256: str) -> str:
        """The path of a URL of a zip, by its hash as Lambda writes it; "" if it is not kept."""
        try:
            name = base64.b64decode(sha256).hex()
        except ValueError:
            return ""
        return f"{_AT}{name}.zip" if name and self._place(name).is_file() else ""

    def at(self, path: str) -> Path | None:
        """The zip that the path of a URL means; None if there is none."""
        match = _PATH.fullmatch(path)
        place = self._place(match[1]) if match else None
        return place if place is not None and place.is_file() else None

    def sweep(self, wanted: Callable[[], set[str]]) -> int:
        """Remove what no version has: `wanted` gives the hashes of all versions, as Lambda writes them. How
        many were removed. It blocks."""
        with self._lock:
            there = [path for path in self._folder.glob("*.zip") if not self._coming[path.stem]]
            keep = {base64.b64decode(sha256).hex() for sha256 in wanted()} if there else set()
            gone = [path for path in there if path.stem not in keep]
            before = time.time() - _STALE_DRAFT_S
            for path in self._folder.glob(".*"):
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < before:
                        gone.append(path)
            for path in gone:
                path.unlink(missing_ok=True)
            return len(gone)

    def _place(self, name: str) -> Path:
        return self._folder / f"{name}.zip"
