"""How all alerts stand, and which changes the store has not got yet: one small file, written whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import ReliveError

from relive_platform.alerts.standing import Standing

__all__ = ["AlertBook", "Change"]

MAX_CHANGES: Final = 10_000
"""That wait for the store; the oldest ones are dropped and counted."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an alert's state. `silenced`: nobody was to be told."""

    alert: str
    app: str
    before: str
    standing: Standing
    silenced: bool = False


class _Page(msgspec.Struct, kw_only=True):
    standings: dict[str, Standing] = {}
    changes: list[Change] = []
    dropped: int = 0


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(_Page)


class AlertBook:
    """Blocks: use it in a thread, one at a time. Raises ReliveError if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._page: _Page | None = None

    @property
    def page(self) -> _Page:
        """What the file holds."""
        if self._page is None:
            try:
                self._page = _decoder.decode(self._path.read_bytes())
            except FileNotFoundError:
                self._page = _Page()
            except (OSError, msgspec.MsgspecError) as error:
                raise ReliveError(
                    f"alerts cannot be read: {error}",
                    where=str(self._path),
                    hint="move the file away to begin anew",
                ) from error
        return self._page

    def keep(self, standings: dict[str, Standing], changes: Iterable[Change] = ()) -> None:
        """Durable when this returns: how all stand, and what has changed."""
        page = self.page
        added = [*page.changes, *changes]
        dropped = max(len(added) - MAX_CHANGES, 0)
        self._write(_Page(standings=standings, changes=added[dropped:], dropped=page.dropped + dropped))

    def stored(self, changes: Iterable[Change]) -> None:
        """The store has these."""
        numbers = {(change.alert, change.standing.number) for change in changes}
        page = self.page
        left = [one for one in page.changes if (one.alert, one.standing.number) not in numbers]
        self._write(_Page(standings=page.standings, changes=left, dropped=page.dropped))

    def _write(self, page: _Page) -> None:
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("wb") as file:
                file.write(_encoder.encode(page))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise ReliveError(f"alerts cannot be written: {error.strerror}", where=str(self._path)) from error
        self._page = page
