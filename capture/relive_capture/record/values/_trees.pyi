from collections.abc import Callable
from typing import Any

from relive_base.values import ValueNode

from relive_capture.record.budget import Meter

class Trees:
    def __init__(
        self,
        strings: dict[str, ValueNode],
        ints: dict[int, ValueNode],
        names: dict[str, Any],
        plans: dict[int, Any],
        meter: Meter,
        node: type[ValueNode],
        indexes: tuple[str, ...],
        hides: Callable[[str, Any], bool],
        total_bytes: int,
        /,
    ) -> None: ...
    def plainly(self, walker: Any, items: list[tuple[str, Any]], /) -> list[ValueNode | None]: ...
    def local(self, walker: Any, name: str, value: Any, depth: int, /) -> ValueNode: ...
    def one(self, walker: Any, label: str, value: Any, depth: int, /) -> ValueNode: ...
