"""What can be typed after `:`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from relive_tui.models.layout.text import clean
from relive_tui.models.navigation.scope import VIEWS, Place, Scope, looks_like_id, parse_range, place_of

__all__ = [
    "COMMANDS",
    "COMMANDS_SHOWN",
    "Command",
    "CommandProblem",
    "as_typed",
    "complete_command",
    "parse_command",
]

COMMANDS = (*VIEWS, "range", "fn", "pause", "help", "quit")
COMMANDS_SHOWN = (*VIEWS, "range", "fn", "quit")
"""Those without a key of their own, and the end: they fit on a line of 80 cells."""


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
    name, _, rest = as_typed(line).partition(" ")
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


_OTHER_NAMES = {
    "failures": "home", "functions": "home", "status": "home", "debug": "failure", "replay": "failure",
    "scene": "failure", "hot": "flame", "events": "invocations", "invoke": "invocations",
}  # fmt: skip
_VALUED = ("--home", "--server")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def as_typed(line: str) -> str:
    """A line as this prompt means it: of a pasted `$ relive --home H tui failure ID` what follows `tui`, of
    an id alone the view that shows it. Options of the command line are left out."""
    words = _words(line.strip().removeprefix("$ "))
    if words and words[0] == "relive":
        words = _without_options(words[1:])
        words = words[1:] if words[:1] == ["tui"] else words
        if words and words[0] in _OTHER_NAMES:
            words = [_OTHER_NAMES[words[0]], *words[1:]]
        words = words or ["home"]
        words = words[:1] if words[0] == "home" else words[:2]
    elif len(words) == 1 and _TRACE_ID.fullmatch(words[0]):
        words = ["trace", *words]
    elif len(words) == 1 and looks_like_id(words[0]):
        words = ["failure", *words]
    return " ".join(words)


def _words(line: str) -> list[str]:
    """As a shell has them, for a query is quoted; as they are if the quotes have no end."""
    if not line.startswith("relive "):
        return line.split()
    import shlex

    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _without_options(words: list[str]) -> list[str]:
    """Options take no part; the values of those of the whole command neither."""
    result: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in _VALUED:
            next(rest, "")
        elif not word.startswith("-"):
            result.append(word)
    return result


def _function(scope: Scope, name: str) -> Scope:
    return replace(scope.without_invocation(), function="" if name in ("", "all") else name)


def complete_command(line: str) -> str:
    """The line with its command completed (Tab), if only one fits."""
    options = [name for name in COMMANDS if name.startswith(line)] if line and " " not in line else []
    return options[0] + " " if len(options) == 1 else line
