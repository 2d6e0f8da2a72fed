"""Chance in a replay: the recorded states, and the recorded bytes of os.urandom in their order."""

from __future__ import annotations

import os
import random
import sys
from collections import deque
from functools import wraps
from typing import Any

from relive_capture.record.playback.undo import Undo
from relive_capture.record.recording.chance import STATE_BYTES, seeded
from relive_capture.record.recording.recorded import INSIDE
from relive_capture.recording_format import Seeds

__all__ = ["Dice"]

_WORDS_VERSION = 3


class Dice:
    """Sets states; os.urandom gives what was recorded as long as the same sizes are asked for."""

    def __init__(self) -> None:
        self._bytes: deque[bytes] = deque()
        self.drawn = 0
        """Bytes that were not in the recording."""
        self._same: random.Random | None = None
        self._before: Any = None
        self._numpy_before: Any = None

    def install(self, undo: Undo) -> None:
        """Stand before os.urandom. After the undoing, chance stands where it stood before."""
        self._before = random.getstate()
        numpy_random = sys.modules.get("numpy.random")
        self._numpy_before = None if numpy_random is None else numpy_random.get_state()
        original = os.urandom

        @wraps(original)
        def urandom(size: int, /) -> bytes:
            hidden = INSIDE.get()  # a library's own, which was not recorded
            if self._bytes and len(self._bytes[0]) == size and not hidden:
                return self._bytes.popleft()
            data = original(size) if self._same is None else self._same.randbytes(size)
            self.drawn += 0 if hidden else len(data)
            return data

        undo.add(self._let_go)

        def getrandom(size: int, flags: int = 0) -> bytes:
            return urandom(size)

        undo.set(os, "getrandom", wraps(os.getrandom)(getrandom))
        undo.set(os, "urandom", urandom)
        undo.set(random, "_urandom", urandom)
        seed = vars(random.Random).get("seed")
        undo.add(lambda: setattr(random.Random, "seed", seed))
        seeded(lambda: urandom(32))

    def same(self, seed: int) -> None:
        """Bytes that were not recorded are the same in each run from now on."""
        self._same = random.Random(seed)

    def _let_go(self) -> None:
        self._bytes.clear()
        if self._before is not None:
            random.setstate(self._before)
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is None:
            return
        if self._numpy_before is not None:
            numpy_random.set_state(self._numpy_before)
        else:
            numpy_random.seed()  # it was loaded meanwhile

    def set(self, seeds: Seeds) -> None:
        """Let chance stand where it stood."""
        self._bytes = deque(seeds.urandom)
        if len(seeds.python) == STATE_BYTES:
            position, *words = memoryview(seeds.python).cast("I")
            random.setstate((_WORDS_VERSION, (*words, position), seeds.gauss_next))
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None and len(seeds.numpy) == STATE_BYTES:
            *words, position = memoryview(seeds.numpy).cast("I")
            numpy = sys.modules["numpy"]
            key = numpy.array(words, dtype="uint32")
            numpy_random.set_state(("MT19937", key, position, 0, 0.0))
