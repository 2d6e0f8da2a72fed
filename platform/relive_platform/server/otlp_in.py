"""OTLP from other programs: where it is received, and by whom."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from relive_tracer.explore.otlp_settings import OtlpSettings, endpoint_settings

from relive_platform.server.parts import kept_days
from relive_platform.settings import Settings
from relive_platform.signals.handover.journal_place import journal_place
from relive_platform.signals.handover.process import spawn
from relive_platform.signals.receivers.otlp.child import OtlpChild
from relive_platform.signals.receivers.otlp.messages import OtlpOptions
from relive_platform.signals.receivers.otlp.process import PROGRAM

__all__ = ["OtlpIn", "otlp_in", "otlp_targets"]

_log = logging.getLogger(__name__)
_OFF: Final = ("", "off")
_AUTO: Final = {"grpc": "127.0.0.1:4317", "http": "127.0.0.1:4318"}
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SPOOL: Final = "spool-otlp"


@dataclass(slots=True)
class OtlpIn:
    """`child`: None if nothing is received. `problems`: why one of the ways is closed."""

    child: OtlpChild | None = None
    problems: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)  # addresses that were asked for, by way

    async def opened(self, timeout_s: float) -> None:
        """Wait until it listens where somebody has asked it to; if it does not by then, say so."""
        if self.child is None or not self.named or await self.child.opened(self.named, timeout_s):
            return
        closed = [text for way, text in self.named.items() if not getattr(self.child.state, way)]
        _log.warning("OTLP is not received yet on %s: relive status says when it is", ", ".join(closed))

    async def flush(self, timeout_s: float) -> bool:
        """Have what was received so far in the store. Whether it is there."""
        return self.child is None or await self.child.flush(timeout_s)

    def status(self) -> dict[str, Any]:
        """For `relive status`."""
        if self.child is None:
            return {"grpc": "", "http": "", "problem": "; ".join(self.problems)}
        state = self.child.state
        return {
            "pid": self.child.pid,
            "restarts": self.child.restarts,
            "grpc": state.grpc,
            "http": state.http,
            "problem": "; ".join([*self.problems, *state.problems]),
            "requests": state.requests,
            "malformed": state.malformed,
            "held_back": state.held_back,
            "too_large": state.too_large,
            "turned_away": state.turned_away,
            "spans": state.taken.get("traces", 0),
            "log_records": state.taken.get("logs", 0),
            "points": state.taken.get("metrics", 0),
            "refused": sum(state.refused.values()),
            "refused_why": ", ".join(f"{count} {why}" for why, count in state.refused.items()),
            "written_rows": state.written_rows,
            "waiting_rows": state.waiting_rows,
            "dropped_rows": state.dropped_rows,
            "last_error": state.last_error,
        }


def otlp_in(settings: Settings, log: Path, environment: Mapping[str, str] = os.environ) -> OtlpIn:
    """By the settings; not started yet."""
    made = OtlpIn()
    targets = otlp_targets(settings, environment)
    addresses: dict[str, str] = {}
    for way, auto in _AUTO.items():
        wanted = getattr(settings, f"otlp_{way}")
        if wanted in _OFF:
            continue
        address = auto if wanted == "auto" else wanted
        host, _, port = address.rpartition(":")
        if port in targets and (host.strip("[]") in _LOCAL or not host):
            made.problems.append(f"OTLP over {way} is not received: all is exported to {address} itself")
            continue
        addresses[way] = address
        if wanted != "auto":
            made.named[way] = address
    spool = settings.home / _SPOOL
    if not addresses and not any(spool.glob("*.batch")):
        return made
    options = OtlpOptions(
        store_url=settings.store_url,
        spool_dir=str(spool),
        grpc=addresses.get("grpc", ""),
        http=addresses.get("http", ""),
        journal_dir=str(journal_place(settings.home, settings.journal_dir)),
        home=str(settings.home),
        token=settings.token,
        hosts=settings.allowed_hosts,
        redact_keys=settings.redact_keys,
        days=kept_days(settings),
        body_bytes=int(settings.otlp_body_limit_bytes),
        spool_bytes=int(settings.otlp_spool_bytes),
        flush_s=settings.flush_s,
        flush_rows=settings.flush_rows,
    )
    made.child = OtlpChild(lambda control: spawn(control, options, log, program=PROGRAM))
    return made


def otlp_targets(settings: Settings, environment: Mapping[str, str]) -> frozenset[str]:
    """Ports of this machine that telemetry is exported to: nobody may receive there what he has sent."""
    if settings.otlp:
        found: OtlpSettings | None = endpoint_settings(settings.otlp, settings.otlp_protocol, env=environment)
    else:
        found = OtlpSettings.from_environment(environment)
    ports = set()
    for chosen in found.signals.values() if found is not None else ():
        url = urlsplit(chosen.target if "://" in chosen.target else f"//{chosen.target}")
        if url.hostname in _LOCAL and url.port:
            ports.add(str(url.port))
    return frozenset(ports)
