"""What can be typed after `:`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from relive_tui.models.scope import VIEWS, Place, Scope, parse_range, place_of
from relive_tui.models.text import clean

__all__ = ["COMMANDS", "Command", "CommandProblem", "complete_command", "parse_command"]

COMMANDS = (*VIEWS, "range", "fn", "pause", "help", "quit")


class CommandProblem(ValueError):
    """The line is no command; the message says what would be."""


@dataclass(frozen=True, slots=True)
class Command:
    """`action`: "go", "range", "pause", "help" or "quit"."""

    action: str
    place: Place | None = None
    range_ns: int = 0


def parse_command(line: str, here: Place) -> Command:
    """The command of a line typed at a place. Raises CommandProblem."""
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if name in VIEWS:
        base = here.scope.without_invocation() if rest else here.scope
        return Command("go", place_of(name, rest or None, base))
    if name == "fn":
        return Command("go", replace(here, scope=_function(here.scope, rest)))
    if name == "range":
        range_ns = parse_range(rest)
        if range_ns is None:
            raise CommandProblem("range needs a time: 15m, 2h, 7d or all")
        return Command("range", range_ns=range_ns)
    if name in ("pause", "help", "quit", "q"):
        return Command("quit" if name == "q" else name)
    raise CommandProblem(f"there is no command {clean(name)!r}; commands: {', '.join(COMMANDS)}")


def _function(scope: Scope, name: str) -> Scope:
    return replace(scope.without_invocation(), function="" if name in ("", "all") else name)


def complete_command(line: str) -> str:
    """The line with its command completed (Tab), where only one fits."""
    options = [name for name in COMMANDS if name.startswith(line)] if line and " " not in line else []
    return options[0] + " " if len(options) == 1 else line
