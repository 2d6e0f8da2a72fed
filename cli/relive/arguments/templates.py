"""Options about templates, and which files describe an application."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["config_env_option", "is_manifest", "parameter_option"]


def is_manifest(path: Path) -> bool:
    """Whether a file describes an application, by its name."""
    from relive_platform.registry.application.manifest import is_manifest as described

    return described(path)


def _parameters(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            if name not in os.environ:
                message = f"{name} has no value: write {name}=VALUE, or set the variable {name}"
                raise click.BadParameter(message, param=option)
            value = os.environ[name]
        if not name:
            raise click.BadParameter(f"{text!r} has no name: write NAME=VALUE", param=option)
        found[name] = value
    return found


parameter_option: Callable[[Any], Any] = click.option(
    "--parameter",
    "-P",
    "parameters",
    multiple=True,
    metavar="NAME[=VALUE]",
    callback=_parameters,
    help="A parameter of a template; NAME alone takes its value from the environment. May be repeated.",
)
config_env_option: Callable[[Any], Any] = click.option(
    "--config-env",
    default="",
    metavar="NAME",
    help="The environment of samconfig.toml.  [default: default]",
)
