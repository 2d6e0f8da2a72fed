"""Templates of AWS SAM and CloudFormation, read directly: to the tables of a `relive.toml`, and a list of
everything that is ignored."""

from __future__ import annotations

from relive_platform.registry.application.sam.template import read_template

__all__ = ["read_template"]
