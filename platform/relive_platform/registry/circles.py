"""Functions that hear of each other's records in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relive_platform.registry.application.model import FunctionConfig
from relive_platform.registry.model import DeployError
from relive_platform.subscriptions.rules import Hears

__all__ = ["check_circles", "find_circle"]


def check_circles(configs: Sequence[FunctionConfig], others: Sequence[FunctionConfig]) -> None:
    """`others` are in service. An event of such a circle would make the next one for ever. Raises
    DeployError."""
    listening = {
        config.name: [heard for trigger in config.triggers if (heard := trigger.hears()) is not None]
        for config in (*others, *configs)
    }
    if not any(listening.values()):
        return
    for config in configs:
        for heard in listening[config.name]:
            if config.name in heard.functions:
                raise DeployError(
                    f"function {config.name!r} would hear of its own records: each would make the next",
                    where=f"function {config.name!r}",
                    hint="take it out of the trigger's functions",
                )
    circle = find_circle(listening)
    if circle:
        shown = " -> ".join((*circle, circle[0]))
        raise DeployError(
            f"functions would hear of each other's records in a circle: {shown}",
            where=f"function {circle[0]!r}",
            hint="name the functions that they hear of, or exclude one",
        )


def find_circle(listening: Mapping[str, Sequence[Hears]]) -> list[str]:
    """Names, each of which makes records that the next one hears of, and the last the first; empty without
    one."""
    next_of = {
        name: [
            other
            for other, wants in listening.items()
            if other != name and any(heard.hears(other, name) for heard in wants)
        ]
        for name in listening
        if listening[name]  # who listens to nobody is in no circle
    }
    done: set[str] = set()
    for start in next_of:
        path: list[str] = []
        stack = [(start, 0)]
        while stack:
            name, step = stack.pop()
            if step == 0:
                if name in done:
                    continue
                path.append(name)
            following = next_of.get(name, [])
            if step < len(following):
                stack.append((name, step + 1))
                other = following[step]
                if other in path:
                    return path[path.index(other) :]
                stack.append((other, 0))
            else:
                done.add(name)
                path.pop()
    return []
