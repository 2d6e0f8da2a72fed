"""Which text an editor shows for a frame: the reader's own file if it is the same, else what was deployed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from relive_base.source_text import decode_source
from relive_base.wire.inspection import Answer, FrameAt, Source, Text

__all__ = ["Sources"]

_FOLDERS: Final = 2_000
"""That are looked through for a file of the same name."""
_FILE_BYTES: Final = 2 * 1_048_576
_SKIPPED: Final = frozenset(("node_modules", "__pycache__", "site-packages"))
_CANDIDATES: Final = 20
_DEEP: Final = 8


class Sources:
    """Of one session. `root`: where the reader works; None: nowhere."""

    def __init__(self, ask: Callable[[Source], Answer], root: Path | None) -> None:
        self._ask = ask
        self._root = root
        self._files: list[str] = []  # by reference, from 1
        self._shown: dict[str, dict[str, Any]] = {}
        self._names: dict[str, str] = {}  # of paths, as frames name them

    def of(self, frame: FrameAt) -> dict[str, Any]:
        """What the protocol calls a source."""
        known = self._shown.get(frame.file)
        if known is None:
            known = self._shown[frame.file] = self._find(frame)
        return known

    def _find(self, frame: FrameAt) -> dict[str, Any]:
        name = frame.shown.rpartition("/")[2] or frame.shown
        text = self.text(frame.file)
        own = self._same_here(frame.shown, text) if frame.own and text is not None else None
        if own is None and not frame.own and os.path.isabs(frame.file) and _text_of(Path(frame.file)) == text:
            own = frame.file if text is not None else None
        if own is not None:
            self._names[own] = frame.shown
            return {"name": name, "path": own}
        if text is None:
            return {
                "name": frame.shown,
                "origin": "no text of it is there",
                "presentationHint": "deemphasize",
            }
        self._files.append(frame.file)
        return {
            "name": frame.shown,
            "sourceReference": len(self._files),
            "origin": "as it was deployed",
            "presentationHint": "normal" if frame.own else "deemphasize",
            "adapterData": frame.shown,
        }

    def text(self, file: str) -> str | None:
        """None: there is none."""
        found = self._ask(Source(file))
        if not isinstance(found, Text):
            return None
        cut = f"\n# … {found.cut:,} more characters are left out\n" if found.cut else ""
        return found.text + cut

    def by_reference(self, reference: int) -> str | None:
        """The text of a source that `of` has given."""
        return self.text(self._files[reference - 1]) if 1 <= reference <= len(self._files) else None

    def name_of(self, source: dict[str, Any]) -> str:
        """How frames name what an editor calls a source; "" if it cannot be told."""
        reference = source.get("sourceReference")
        if isinstance(reference, int) and 1 <= reference <= len(self._files):
            file = self._files[reference - 1]
            return str(self._shown[file].get("adapterData", file))
        path = source.get("path")
        if not isinstance(path, str):
            return ""
        if path not in self._names:
            self._names[path] = self._name_in_the_process(Path(path))
        return self._names[path]

    def _name_in_the_process(self, path: Path) -> str:
        """Of a file of the reader's that no frame was in yet: what has the same text there; "" if nothing."""
        text = _text_of(path)
        if text is None:
            return ""
        ends = (str(Path(*path.parts[-count:])) for count in range(1, min(len(path.parts), _DEEP) + 1))
        for name in ends:
            if self.text(name) == text:
                return name
        return ""

    def _same_here(self, shown: str, text: str) -> str | None:
        for path in self._candidates(shown):
            if _text_of(path) == text:
                return str(path)
        return None

    def _candidates(self, shown: str) -> Iterator[Path]:
        root = self._root
        if root is None or os.path.isabs(shown) or ".." in Path(shown).parts:
            return
        yield root / shown
        found = 0
        for folders, (folder, below, _) in enumerate(os.walk(root), 1):
            below[:] = sorted(name for name in below if name[:1] != "." and name not in _SKIPPED)
            path = Path(folder) / shown
            if path.is_file():
                found += 1
                yield path
            if folders >= _FOLDERS or found >= _CANDIDATES:
                return


def _text_of(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _FILE_BYTES:
            return None
        return decode_source(path.read_bytes()).replace("\r\n", "\n")
    except OSError:
        return None
