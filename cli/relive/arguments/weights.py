"""Which time profiles are weighed by."""

from __future__ import annotations

import click

__all__ = ["weight_option"]

weight_option = click.option(
    "--weight",
    type=click.Choice(["wall", "cpu"]),
    default="wall",
    show_default=True,
    help="All of the time, or that on the CPU.",
)
