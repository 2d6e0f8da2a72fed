"""Telling what a template says and Relive does not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from relive_base.escapes import to_json
from relive_base.terminal import one_line

from relive.output import note

if TYPE_CHECKING:
    from relive_platform.api import control_pb2 as pb
    from relive_platform.registry.application import Ignored

__all__ = ["ignored_of", "row_of", "tell_ignored"]

_WIDTH = 400


def ignored_of(told: pb.Ignored) -> Ignored:
    """From the control API's message."""
    from relive_platform.registry.application import Ignored

    return Ignored(told.file, told.line, told.key, told.message, told.hint, told.describes)


def row_of(entry: Ignored) -> dict[str, Any]:
    """As JSON shows it."""
    row = asdict(entry)
    return {"ignored": row.pop("key"), **row}


def tell_ignored(ignored: Sequence[Ignored], *, as_json: bool) -> None:
    """One line each, on stderr, as objects with the key `ignored` in JSON. What only describes is counted."""
    if as_json:
        for entry in ignored:
            click.echo(to_json(row_of(entry)).decode(), err=True)
        return
    for entry in ignored:
        if not entry.describes:
            note(one_line(f"ignored: {entry}", _WIDTH), as_json=as_json)
    if describing := sum(entry.describes for entry in ignored):
        plural = "" if describing == 1 else "s"
        text = (
            f"and {describing} more key{plural} without an effect on how functions run: relive import --json"
        )
        note(text, as_json=as_json)
