"""bson: the ObjectIds that are made here, of the time, a random number and a counter of the process.

The constructor stays as it is, which makes those that are read, too: what is seen is its question for the
random number. If threads make some at the same moment, their counters may be mistaken for each other's.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any, Final

from relive_capture.record.recording.object_ids import COUNTER, ObjectIds
from relive_capture.record.recording.recorded import CallRecordingHolder

__all__ = ["VALUE", "record"]

VALUE: Final = "_ObjectId__id"
_time = time.time


def record(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """bson.objectid: note each one."""
    cls: Any = module.ObjectId
    random = cls._random
    names = getattr(cls, "_ObjectId__generate", cls.__init__).__code__.co_names
    counted = 1 if names.index("_inc") < names.index("_random") else 0  # already, when it asks

    def recorded(_cls: Any) -> Any:
        found = random()
        kept_calls = recorder.kept_calls
        if kept_calls is not None and kept_calls.open:
            ids = kept_calls.ids
            if ids is None:
                ids = kept_calls.ids = ObjectIds()
            ids.add(int(_time()), found, (cls._inc - counted) % COUNTER)
        return found

    cls._random = classmethod(recorded)
