"""bson: the ObjectIds that were recorded, in their order; then new ones."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_capture.record.recording.databases.object_id_calls import VALUE
from relive_capture.record.recording.object_ids import COUNTER

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play"]


def play(player: PlayedCalls, module: ModuleType) -> None:
    """bson.objectid."""
    cls: Any = module.ObjectId
    init = cls.__init__

    @wraps(init)
    def played(self: Any, oid: Any = None) -> None:
        runs = player.object_ids
        if oid is not None or not runs:
            init(self, oid)
            return
        data, count = runs.popleft()
        setattr(self, VALUE, data)
        if count > 1:
            number = (int.from_bytes(data[9:], "big") + 1) % COUNTER
            runs.appendleft((data[:9] + number.to_bytes(3, "big"), count - 1))

    player.undo.set(cls, "__init__", played)
