"""The states of all alarms: one small file, written whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import ReliveError, UsageError

__all__ = ["AlarmState", "AlarmStates", "BadAlarm"]

_ALARMS: Final = 1_000


class BadAlarm(UsageError):
    """What is said of an alarm cannot be."""  # HTTP 400


class AlarmState(msgspec.Struct, kw_only=True):
    """`number` counts the changes of the alarm. `told`: the state that functions were told of last; "": it is
    from before there were silences, and they were told. `silenced_until_ns`: nobody is told before."""

    value: str
    reason: str = ""
    timestamp_ns: int = 0
    number: int = 0
    told: str = ""
    silenced_until_ns: int = 0
    silence_reason: str = ""

    @property
    def untold(self) -> bool:
        """Whether functions know it in another state."""
        return bool(self.told) and self.told != self.value


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(dict[str, AlarmState])


class AlarmStates:
    """By name. Blocks: use it in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._states: dict[str, AlarmState] | None = None

    def all(self) -> dict[str, AlarmState]:
        """Those that have ever been set. Raises ReliveError if the file cannot be read."""
        if self._states is None:
            try:
                self._states = _decoder.decode(self._path.read_bytes())
            except FileNotFoundError:
                self._states = {}
            except (OSError, msgspec.MsgspecError) as error:
                hint = "move the file away to begin anew"
                raise ReliveError(
                    f"alarms cannot be read: {error}", where=str(self._path), hint=hint
                ) from error
        return self._states

    def set(self, name: str, state: AlarmState) -> None:
        """Durable when this returns. Raises ReliveError."""
        states = {**self.all(), name: state}
        if len(states) > _ALARMS:
            raise BadAlarm(f"there are {_ALARMS:,} alarms already")
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("wb") as file:
                file.write(_encoder.encode(states))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise ReliveError(
                f"the alarm cannot be written: {error.strerror}", where=str(self._path)
            ) from error
        self._states = states
