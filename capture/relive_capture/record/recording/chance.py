"""Where chance stands: the states of `random` and of numpy's old generator, and what os.urandom gives.

random.getstate() takes 12 us. The state is 2,500 bytes of plain memory; copying them takes 0.2 us, so that
it can be done before each invocation. If the memory does not look as expected, nothing is read from it.
"""

from __future__ import annotations

import ctypes
import os
import random
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final

from relive_base.parts import Reason, Why
from relive_base.unseen import without_this_frame

from relive_capture.record.recording.recorded import INSIDE
from relive_capture.recording_format import Seeds

__all__ = ["STATE_BYTES", "Chance", "Draws", "States", "seeded"]

STATE_BYTES: Final = 2_500
_WORDS: Final = 624
_CALLS: Final = 5_000
_BYTES: Final = 65_536
_MISSING: Final[Any] = object()
_View = ctypes.Array[ctypes.c_char]
States = tuple[bytes, float | None, bytes]


class Draws:
    """What os.urandom gave to one invocation."""

    __slots__ = ("data", "left_out", "size")

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.size = 0
        self.left_out = 0

    def add(self, data: bytes) -> None:
        """It gave this."""
        if len(self.data) < _CALLS and self.size + len(data) <= _BYTES:
            self.data.append(data)
            self.size += len(data)
        else:
            self.left_out += 1


class Chance:
    """Reads states and keeps what os.urandom gave. One per worker."""

    def __init__(self, whose: Callable[[], Draws | None] | None = None) -> None:
        """`whose`: of the calling code, where invocations run beside each other."""
        self._python = _python_view()
        self._numpy: _View | None = None
        self._numpy_tried = False
        self._draws = Draws()
        self._whose = whose or (lambda: self._draws)

    def snapshot(self) -> States:
        """The states now."""
        python, numpy = self._python, self._numpy
        if numpy is None and "numpy.random" in sys.modules and not self._numpy_tried:
            numpy = self._find_numpy()
        return (
            python.raw if python is not None else b"",
            _gauss_next(),
            numpy.raw if numpy is not None else b"",
        )

    def _find_numpy(self) -> _View | None:
        mtrand = sys.modules.get("numpy.random.mtrand")
        if mtrand is not None:
            self._numpy_tried = True
            self._numpy = _numpy_view(mtrand)
        return self._numpy

    def begin(self) -> None:
        """Forget what os.urandom gave before."""
        if self._draws.size or self._draws.left_out:
            self._draws = Draws()

    def seeds(self, wall_ns: int, monotonic_ns: int, states: States, draws: Draws | None = None) -> Seeds:
        """All of it, as it is told."""
        draws = draws or self._draws
        return Seeds(
            wall_ns=wall_ns,
            monotonic_ns=monotonic_ns,
            python=states[0],
            gauss_next=states[1],
            numpy=states[2],
            urandom=list(draws.data),  # what is drawn from now on is not of this
            urandom_left_out=draws.left_out,
        )

    def limits(self, draws: Draws | None = None) -> list[Reason]:
        """What is not recorded."""
        draws = draws or self._draws
        found = [] if self._python is not None else [Reason(Why.RANDOM_UNREADABLE)]
        if draws.left_out:
            found.append(Reason(Why.URANDOM_LEFT_OUT, (draws.left_out,)))
        return found

    def install(self) -> None:
        """Keep what os.urandom and os.getrandom give from now on: uuid4, secrets, SystemRandom and numpy's
        default_rng() take from it; an unseeded random.Random too, which else asks the kernel from C."""
        original, whose = os.urandom, self._whose

        @wraps(original)
        def urandom(size: Any = _MISSING, /) -> bytes:
            try:
                data = original(size) if size is not _MISSING else original()  # type: ignore[call-arg]
            except BaseException as error:
                without_this_frame(error)
                raise
            draws = whose()
            if draws is not None and not INSIDE.get():  # else a library's own, for what no replay does
                draws.add(data)
            return data

        asked = os.getrandom

        @wraps(asked)
        def getrandom(*arguments: Any, **options: Any) -> bytes:
            try:
                data = asked(*arguments, **options)
            except BaseException as error:
                without_this_frame(error)
                raise
            draws = whose()
            if draws is not None:
                draws.add(data)
            return data

        os.getrandom = getrandom
        os.urandom = urandom
        random._urandom = urandom  # type: ignore[attr-defined]
        seeded(partial(urandom, 32))


def seeded(draw: Any) -> None:
    """Let a `random.Random` without a seed take it from `draw`."""
    seed = random.Random.seed

    @wraps(seed)
    def recorded(self: Any, a: Any = None, version: int = 2) -> None:
        try:
            seed(self, int.from_bytes(draw(), "big") if a is None else a, version)
        except BaseException as error:
            without_this_frame(error)
            raise

    random.Random.seed = recorded  # type: ignore[method-assign]
    random.seed = random._inst.seed  # the module's function is bound to the one before


def _gauss_next() -> float | None:
    value = getattr(random._inst, "gauss_next", None)
    return value if type(value) is float else None


def _python_view() -> _View | None:
    """The memory behind `random`'s own generator: its position, then the words."""
    instance = random._inst
    if (
        sys.implementation.name != "cpython"
        or random.Random.__basicsize__ < object.__basicsize__ + STATE_BYTES
    ):
        return None
    view: _View = (ctypes.c_char * STATE_BYTES).from_address(id(instance) + object.__basicsize__)
    state = instance.getstate()[1]
    seen = tuple(memoryview(view.raw).cast("I"))
    return view if (*seen[1:], seen[0]) == state else None


def _numpy_view(mtrand: Any) -> _View | None:
    """The same behind numpy's old functions: the words, then the position."""
    try:
        generator = mtrand._rand._bit_generator
        if type(generator).__name__ != "MT19937":
            return None
        address = generator.ctypes.state_address
        view: _View = (ctypes.c_char * STATE_BYTES).from_address(address)
        state = generator.state["state"]
        words = state["key"].tobytes()
        fits = len(words) == 4 * _WORDS and view.raw == words + int(state["pos"]).to_bytes(4, sys.byteorder)
        return view if fits else None
    except Exception:  # another numpy: its state is not recorded
        return None
