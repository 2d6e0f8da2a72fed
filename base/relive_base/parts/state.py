"""What became of each part of a scene, and why: a state, and reasons that are codes with their arguments.

Nobody has to read a sentence to decide something. What people read is made of the codes in one place,
`sentences`, which the user's process never imports.
"""

from __future__ import annotations

import msgspec

from relive_base.parts.codes import Code, State

__all__ = [
    "Argument",
    "PartState",
    "Reason",
    "bounded",
    "missing",
    "not_applicable",
    "ok",
    "partial",
]

Argument = str | int | float
_MOST_REASONS = 20
_MOST_ARGUMENTS = 10
_MOST_CHARS = 500


class Reason(msgspec.Struct, array_like=True, frozen=True):
    """One reason; its `text` is for people."""

    code: Code
    arguments: tuple[Argument, ...] = ()

    @property
    def text(self) -> str:
        """The sentence."""
        from relive_base.parts.sentences import sentence

        return sentence(self.code, self.arguments)


class PartState(msgspec.Struct, array_like=True):
    """What became of one part of a scene, and why."""

    state: State
    reasons: list[Reason] = []

    @property
    def reason(self) -> str:
        """Why, for people: the sentences of all reasons; "" if there are none."""
        return "; ".join(reason.text for reason in self.reasons)

    def because(self, code: Code) -> Reason | None:
        """The reason of that code, if it is one of them."""
        return next((reason for reason in self.reasons if reason.code == code), None)


def bounded(part: PartState) -> PartState:
    """What a process told whose code may be hostile: as much of it as is worth keeping."""
    reasons = [
        Reason(why.code, tuple(_cut(argument) for argument in why.arguments[:_MOST_ARGUMENTS]))
        for why in part.reasons[:_MOST_REASONS]
    ]
    return PartState(part.state, reasons)


def _cut(argument: Argument) -> Argument:
    return argument[:_MOST_CHARS] if isinstance(argument, str) else argument


def ok(code: Code | None = None, *arguments: Argument) -> PartState:
    return _made(State.OK, code, arguments)


def partial(code: Code | None = None, *arguments: Argument) -> PartState:
    return _made(State.PARTIAL, code, arguments)


def missing(code: Code | None = None, *arguments: Argument) -> PartState:
    return _made(State.MISSING, code, arguments)


def not_applicable(code: Code | None = None, *arguments: Argument) -> PartState:
    return _made(State.NOT_APPLICABLE, code, arguments)


def _made(state: State, code: Code | None, arguments: tuple[Argument, ...]) -> PartState:
    return PartState(state, [] if code is None else [Reason(code, arguments)])
