"""Which file describes an application, and reading it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from relive_base.errors import UsageError

from relive_platform.registry.application.document import Document, Given
from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.procfile import read_procfile
from relive_platform.registry.application.toml_file import read_toml

__all__ = ["MANIFEST", "find_manifest", "find_template", "is_manifest", "manifest_name", "read_document"]

MANIFEST: Final = "relive.toml"
PROCFILE: Final = "Procfile"
_TEMPLATES: Final = ("template.yaml", "template.yml", "template.json")
_TEMPLATE_ENDINGS: Final = (".yaml", ".yml", ".json", ".template")


def is_manifest(path: Path) -> bool:
    """Whether the file `path` describes an application, by its name."""
    return path.name in (MANIFEST, PROCFILE) or path.suffix in _TEMPLATE_ENDINGS


def manifest_name(text: str) -> str:
    """`text`, the name of a file in a package, or ""; one that could lead out of it is refused."""
    if text and (text != Path(text).name or not is_manifest(Path(text))):
        raise UsageError(
            f"{text!r} is not the name of a relive.toml or a template", hint="as in template.yaml"
        )
    return text


def find_manifest(path: Path, name: str = "") -> Path | None:
    """`path` itself if it is a file; else the file `name` of the folder, or the usual one it has: a
    `relive.toml` comes before a template, and that before a Procfile. None: it has none."""
    if not path.is_dir():
        return path
    if name:
        return path / name
    return next((path / name for name in (MANIFEST, *_TEMPLATES, PROCFILE) if (path / name).is_file()), None)


def find_template(path: Path) -> Path | None:
    """What a `relive.toml` can be made of: `path` itself if it is a file, else its template or Procfile."""
    if not path.is_dir():
        return path
    return next((path / name for name in (*_TEMPLATES, PROCFILE) if (path / name).is_file()), None)


def read_document(file: Path, given: Given) -> Document:
    """What `file` says, in the shape of a `relive.toml`. Raises ConfigError."""
    shown = str(file)
    if file.suffix in _TEMPLATE_ENDINGS:
        # Only here: whoever has no template need not wait for a YAML parser.
        from relive_platform.registry.application.sam import read_template

        return read_template(file, shown, given)
    if given.parameters:
        hint = "parameters are for templates of SAM or CloudFormation"
        raise ConfigError([Problem(shown, 0, f"a {file.name} has no parameters", hint)])
    if file.name == PROCFILE:
        return read_procfile(file, shown)
    return read_toml(file, shown)
