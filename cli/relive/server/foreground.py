"""Running the server in the foreground for `relive serve`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import click
from relive_base.environment import hide_secrets
from relive_base.errors import ExitCode
from relive_platform.server.control import ControlPlane
from relive_platform.server.server import ReliveServer
from relive_platform.server.serving import run
from relive_platform.settings import Settings, unknown_variables
from relive_runtime.isolation import gaps
from relive_runtime.isolation.spaces import probe_spaces

from relive.output import echo, emit_object

__all__ = ["run_server", "tell_unknown"]


def tell_unknown(environment: Mapping[str, str]) -> None:
    """Say which RELIVE_ variables are no settings, and what may have been meant."""
    for name, meant in unknown_variables(environment):
        hint = f"did you mean {meant}?" if meant else "see docs/reference/settings.md"
        echo(f"note: unknown setting {name}; {hint}", err=True)


def run_server(
    home: Path, overrides: dict[str, str], environment: Mapping[str, str], *, as_json: bool
) -> int:
    """Serve until a signal or `relive stop`. Raises SettingsError and what keeps the server from starting."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s  %(message)s")
    tell_unknown(environment)
    settings = Settings.from_environment(environment, {"home": home, **overrides})
    no_mounts = probe_spaces() if settings.isolation_tier and settings.tmp_mb else ""
    for gap in gaps(settings.isolation_tier, settings.unix_sockets == "open", no_mounts):
        echo(f"warning: {gap}; see relive doctor", err=True)

    hide_secrets()  # /proc/PID/environ shows to others what this process was started with

    def ready(server: ReliveServer) -> None:
        if not server.store_keeper.ready:
            reason = server.store_keeper.health.reason
            echo(f"note: the store is not there yet: {reason}", err=True)
            echo("      functions go on; what is recorded waits in the spool: relive status", err=True)
        if as_json:
            addresses = {"http": server.http_address, "api": server.api_address, "aws": server.aws_address}
            emit_object({"pid": os.getpid(), **addresses, "metrics": server.metrics.address})
            return
        count = len(server.functions.serving)
        echo(f"Relive serves {count} functions at {server.http_address}/fn/NAME/   (home {home})")
        if server.aws_address:
            echo(f"  AWS's API at {server.aws_address}    relive aws credentials")
        if server.metrics.address:
            echo(f"  metrics at {server.metrics.address}")
        echo("  relive deploy PATH    relive status    relive tui    Ctrl-C stops")

    run(settings, ControlPlane, ready)
    if not as_json:
        click.echo("stopped")
    return ExitCode.DONE
