"""What a function's version is made of, and what it needs installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from relive_platform.registry.application import Application, FunctionConfig
from relive_platform.registry.packages.assembling import Parts, is_built_layer
from relive_platform.registry.packages.dependencies import Requirements

__all__ = ["parts_of", "requirements_of"]


def parts_of(application: Application, config: FunctionConfig) -> Parts:
    """The files of its folder."""
    return Parts(
        root=application.root,
        source=Path(config.source),
        module=config.handler.partition(":")[0],
        code=config.code,
        include=config.include,
        layers=config.layers,
    )


def requirements_of(config: FunctionConfig, application: Application) -> Requirements:
    """Its own requirements and those of its layers. Raises DependencyError."""
    source, file = Path(config.source), application.file
    if config.dependencies or (source.is_dir() and not config.code):
        own = Requirements.of(source if source.is_dir() else application.root, config.dependencies, file)
    else:  # nobody has put a requirements.txt beside it
        own = Requirements("", file, application.root)
    layers = [application.root / text for text in config.layers]
    more = [Requirements.of(layer, (), "") for layer in layers if not is_built_layer(layer)]
    if config.extra_dependencies:
        more.append(Requirements.of(application.root, config.extra_dependencies, file))
    return replace(own, more=tuple(needs for needs in more if needs.lines))
