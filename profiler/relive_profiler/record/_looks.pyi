from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Place = TypeVar("Place")

def settime(timer: int, delay_ns: int, repeat_ns: int, /) -> None: ...
def walk(
    frame: FrameType | None,
    outer: FrameType | None,
    depth: int,
    lines: dict[int, dict[int, Place]],
    place: Callable[[FrameType], Place],
    cut: Place,
    /,
) -> tuple[Place, ...]: ...
