"""Memory of server, collector and store while one function answers a million requests, all of them recorded.

What a process keeps for each invocation shows as growth. The first tenth is left out: caches fill then. `run`
ends early, and says after how many, if the machine is too slow for all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

from gateways import _application, _role, _server
from warm_http import _family, _load

__all__ = ["run"]

INVOCATIONS: Final = 1_000_000
MOST_S: Final = 1_500.0
TARGET: Final = 1.1
_CLIENTS: Final = 16
_ROLES: Final = ("server", "collector", "store")
_SAMPLES: Final = 50
_MB: Final = 1024.0
_SETTLES_S: Final = 30.0


def _resident_mb(pid: int) -> dict[str, float]:
    """By what the processes do; of workers, the largest."""
    found: dict[str, float] = {}
    for one in _family(pid):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            size = next(float(line.split()[1]) for line in lines if line.startswith("VmRSS")) / _MB
            found[_role(one)] = max(found.get(_role(one), 0.0), size)
    return found


def _recorded(home: Path, wanted: int) -> int:
    """How many invocations the store has, as soon as it has all, or none has come for a while."""
    command = [sys.executable, "-m", "relive", "sql", "SELECT count() AS n FROM invocations", "--json"]
    env = {**os.environ, "RELIVE_HOME": str(home)}
    found, since = 0, time.monotonic()
    while found < wanted and time.monotonic() - since < _SETTLES_S:
        time.sleep(1.0)
        answer = subprocess.run(command, env=env, capture_output=True, check=True).stdout
        count = int(json.loads(answer)["n"])
        if count > found:
            found, since = count, time.monotonic()
    return found


def _measured(folder: Path, wanted: int, most_s: float) -> tuple[int, int, float, list[dict[str, float]]]:
    """How many were answered, and how many of them recorded, in how many seconds, and the memory at equal
    steps."""
    begun = time.monotonic()
    done, samples = 0, []
    with _server(folder, 1) as (url, pid):
        while done < wanted and time.monotonic() - begun < most_s:
            step = 0
            while step < wanted / _SAMPLES and time.monotonic() - begun < most_s:
                step += round(_load(url, _CLIENTS, 2)[2])
            done += step
            samples.append(_resident_mb(pid))
            print(f"{done:,} invocations: {samples[-1]}", file=sys.stderr, flush=True)
        took_s = time.monotonic() - begun
        return done, _recorded(folder / "home-1", done), took_s, samples


def run(quick: bool = False) -> list[dict[str, object]]:
    """One server, until a million invocations are recorded or its time is up."""
    with _application() as folder:
        found = _measured(folder, 20_000 if quick else INVOCATIONS, 30.0 if quick else MOST_S)
    return _rows(*found)


def _rows(
    done: int, recorded: int, took_s: float, samples: list[dict[str, float]]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"name": "memory.invocations", "value": done, "unit": f"in {took_s:.0f} s", "target": "", "ok": None},
        {
            "name": "memory.recorded",
            "value": recorded,
            "unit": "of them",
            "target": "all",
            "ok": recorded >= done,
        },
    ]
    warm = samples[max(len(samples) // 10, 1) :] or samples
    part = max(len(warm) // 5, 1)
    for role in _ROLES:
        early, late = (
            statistics.median(one.get(role, 0.0) for one in some) for some in (warm[:part], warm[-part:])
        )
        grown = late / early if early else 0.0
        rows += [
            {"name": f"memory.{role}", "value": round(late, 1), "unit": "MB", "target": "", "ok": None},
            {
                "name": f"memory.{role}, last fifth over the first",
                "value": round(grown, 3),
                "unit": "x",
                "target": f"<= {TARGET}",
                "ok": grown <= TARGET,
            },
        ]
    return rows


if __name__ == "__main__":
    for line in run(quick="--quick" in sys.argv):
        print(line)
