"""`samconfig.toml` beside a template: parameters, stack name and region of one environment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.sam.yaml_text import parse
from relive_platform.registry.application.toml_file import read_text, read_toml

__all__ = ["SamConfig", "read_samconfig"]

_FILES: Final = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
_COMMANDS: Final = ("global", "build", "deploy")  # later ones win
_OVERRIDE: Final = re.compile(r"ParameterKey=([^,]+),ParameterValue=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SamConfig:
    """What it says; nothing without one."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    stack_name: str = ""
    region: str = ""


def read_samconfig(folder: Path, environment: str) -> SamConfig:
    """That of `folder`, for the environment of that name. Raises ConfigError."""
    file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if file is None:
        if environment != "default":
            problem = Problem(
                str(folder), 0, f"there is no samconfig.toml with {environment!r}", "leave it out"
            )
            raise ConfigError([problem])
        return SamConfig()
    if file.suffix == ".toml":
        document: Mapping[str, Any] = read_toml(file, str(file)).values
    else:
        document = parse(read_text(file, str(file), "save it as YAML"), str(file))
    tables = document.get(environment)
    if not isinstance(tables, Mapping):
        if environment != "default":
            known = ", ".join(name for name, found in document.items() if isinstance(found, Mapping))
            raise ConfigError(
                [Problem(str(file), 0, f"it has no environment {environment!r}", f"it has {known}")]
            )
        return SamConfig()
    merged: dict[str, Any] = {}
    for command in _COMMANDS:
        table = tables.get(command)
        given = table.get("parameters") if isinstance(table, Mapping) else None
        merged |= given if isinstance(given, Mapping) else {}
    return SamConfig(
        parameters=_overrides(merged.get("parameter_overrides", ()), str(file)),
        stack_name=str(merged.get("stack_name", "")),
        region=str(merged.get("region", "")),
    )


def _overrides(given: object, shown: str) -> dict[str, str]:
    """`"A=b C='d e'"`, a list of such texts, or a table."""
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items()}
    texts = [given] if isinstance(given, str) else given if isinstance(given, list | tuple) else ()
    found: dict[str, str] = {}
    for text in texts:
        try:
            words = shlex.split(str(text))
        except ValueError as error:
            message = f"parameter_overrides cannot be read: {error}"
            raise ConfigError([Problem(shown, 0, message, 'as in "Stage=dev Size=3"')]) from error
        for word in words:
            if match := _OVERRIDE.fullmatch(word):
                found[match[1]] = match[2]
            elif "=" in word:
                name, _, value = word.partition("=")
                found[name] = value
    return found
