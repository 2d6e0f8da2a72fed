"""Reading `relive.toml`, without judging what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from relive_platform.registry.application.document import Document
from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.lines import key_lines

__all__ = ["MAX_MANIFEST_BYTES", "read_text", "read_toml"]

MAX_MANIFEST_BYTES: Final = 1024 * 1024


def read_text(file: Path, shown: str, hint: str) -> str:
    """The text of an application's file. Raises ConfigError."""
    try:
        if file.stat().st_size > MAX_MANIFEST_BYTES:
            raise ConfigError([Problem(shown, 0, "the file is over 1 MiB", "make it smaller")])
        text = file.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError([Problem(shown, 0, f"it cannot be read: {error.strerror}", hint)]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(shown, line, "it is not UTF-8", "save it as UTF-8")]) from error
    return text.replace("\r\n", "\n")


def read_toml(file: Path, shown: str) -> Document:
    """The document of a `relive.toml`. Raises ConfigError."""
    text = read_text(file, shown, f"write a {file.name}; docs/reference/relive-toml.md describes it")
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        message = f"it is not valid TOML: {error}"
        raise ConfigError([Problem(shown, line, message, "correct the line")]) from error
    return Document(values=values, lines=key_lines(text), file=file, shown=shown)
