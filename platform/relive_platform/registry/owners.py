"""Whose functions they are: an application's, which is known by its name and where it was deployed from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from relive_platform.registry.application import Application, is_manifest
from relive_platform.registry.application.model import FunctionConfig
from relive_platform.registry.model import DeployError, FunctionVersion

__all__ = ["ANYWHERE", "check_origin", "check_owners", "origin_of"]

ANYWHERE: Final = "*"
_NAMED: Final = "a relive.toml that names it"


def origin_of(path: Path, application: Application, sender: str) -> str:
    """Where `application`, deployed as `path`, comes from: its folder, or the package's own place.

    ANYWHERE for one that has a name of its own: another checkout, a build machine. `sender`: where an
    uploaded package was before, "" for what is on this machine.
    """
    if application.named:
        return ANYWHERE
    if not sender and (path.is_dir() or is_manifest(path)):
        return str(application.root.resolve())
    return sender or str(path.resolve())


def check_origin(application: Application, serving: Sequence[FunctionVersion], known: str, came: str) -> None:
    """An application without a name of its own is replaced from where it came from: two folders may have one
    name. `known` is "" if nobody has noted it. Raises DeployError."""
    count = sum(version.spec.app == application.name for version in serving)
    if not count or known in ("", came):
        return
    known, came = (_NAMED if place == ANYWHERE else place for place in (known, came))
    plural = "s" if count > 1 else ""
    rename = "[app] name in its relive.toml" if application.file else "--name"
    raise DeployError(
        f"application {application.name!r}, with {count} function{plural} in service, came from {known};"
        f" this one comes from {came}",
        where=application.file or str(application.root),
        hint=f"if it is another application, give it a name of its own ({rename}); if it is the"
        " same one, deploy with --take-over",
    )


def check_owners(
    application: Application, configs: Sequence[FunctionConfig], serving: Sequence[FunctionVersion]
) -> None:
    """A function in service belongs to its application. Raises DeployError."""
    owners = {version.name: version.spec.app for version in serving}
    taken = {
        config.name: owners[config.name]
        for config in configs
        if owners.get(config.name, application.name) != application.name
    }
    if taken:
        listed = ", ".join(f"{name!r} of application {owner!r}" for name, owner in sorted(taken.items()))
        raise DeployError(
            f"application {application.name!r} would take over what another one has: {listed}",
            where=application.file or str(application.root),
            hint="give the function another name, or deploy with --take-over",
        )
