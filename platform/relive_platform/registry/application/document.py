"""What an application's file says, whatever it is written in: values in the shape of `relive.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relive_platform.registry.application.lines import KeyPath

__all__ = ["NOTHING_GIVEN", "Document", "Given", "Ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What comes with a deploy beside the files. `manifest`: the file's name, "" for the usual ones."""

    parameters: Mapping[str, str] = field(default_factory=dict)  # of a template
    config_env: str = "default"  # of samconfig.toml
    strict: bool = False  # what would be ignored is an error
    manifest: str = ""


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True, order=True)
class Ignored:
    """Something that a file says and Relive does not do. `describes`: nothing runs differently without it."""

    file: str
    line: int
    key: str
    message: str
    hint: str = ""
    describes: bool = False

    @property
    def where(self) -> str:
        """`file:line`, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        text = f"{self.where}: {self.key}: {self.message}"
        return f"{text}; {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`values` has the tables of `relive.toml`; `lines` says where in `file` each key comes from. `shown` is
    the file as it was named."""

    values: dict[str, Any]
    lines: dict[KeyPath, int]
    file: Path
    shown: str
    ignored: tuple[Ignored, ...] = ()
