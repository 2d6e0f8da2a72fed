"""One gateway and two, in turn in one run: CPU time of a request by process, and how many are answered.

On two cores both are full with one gateway already: what counts there is that no figure gets worse, and that
the time is spent in two processes. Requests per second grow with cores.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from warm_http import (
    _HELLO,
    _cpu_s,
    _family,
    _free_port,
    _load,
    _process,
)

__all__ = ["run"]

ROUNDS = 4
CLIENTS = 16
TARGET_PROCESS = 0.6  # of the time that the one process takes, in any single process
TARGET_RATE = 0.95  # of its requests, on as many cores
_TOML = """[app]
name = "bench"
[functions.hello]
source = "."
handler = "hello:hello"
kind = "http"
max_workers = 4
"""


@contextlib.contextmanager
def _application() -> Iterator[Path]:
    """A folder with the application; servers may have their homes there."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is needed: apt-get install wrk")
    folder = Path(tempfile.mkdtemp(prefix="relive-bench-"))
    try:
        (folder / "app").mkdir()
        (folder / "app" / "relive.toml").write_text(_TOML)
        (folder / "app" / "hello.py").write_text(_HELLO)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _server(folder: Path, gateways: int) -> Iterator[tuple[str, int]]:
    from relive_platform.registry import Registry

    home = folder / f"home-{gateways}"
    if not home.exists():
        registry = Registry(home)
        registry.deploy(folder / "app")
        registry.close()
    port = _free_port()
    env = {
        "RELIVE_HOME": str(home),
        "RELIVE_HTTP": f"127.0.0.1:{port}",
        "RELIVE_GATEWAYS": str(gateways),
    }
    command = [sys.executable, "-m", "relive_platform.server.serving"]
    with _process(command, folder, f"http://127.0.0.1:{port}/fn/hello/", env) as served:
        yield served


def _role(pid: int) -> str:
    """What a process of the server does."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_text()
        for part, role in (
            ("server.serving", "server"),
            ("gateways.process", "gateway 2"),
            ("handover.process", "collector"),
            ("relive_store", "store"),
            ("bootstrap", "workers"),
        ):
            if part in command:
                return role
    return "others"


def _measured(url: str, pid: int, seconds: float) -> tuple[float, float, dict[str, float]]:
    """Requests per second, median latency in ms with one client, CPU time of a request in us by process."""
    _load(url, CLIENTS, 3)  # the function becomes busy, and is lent
    family = _family(pid)
    before = {one: _cpu_s(one) for one in family}
    rate, _, requests = _load(url, CLIENTS, seconds)
    spent: dict[str, float] = {}
    for one in _family(pid):
        used = (_cpu_s(one) - before.get(one, 0.0)) / requests * 1e6
        spent[_role(one)] = spent.get(_role(one), 0.0) + used
    return rate, _load(url, 1, max(seconds / 2, 1.0))[1], spent


def _rounds(
    folder: Path, rounds: int, seconds: float
) -> dict[int, list[tuple[float, float, dict[str, float]]]]:
    found: dict[int, list[tuple[float, float, dict[str, float]]]] = {1: [], 2: []}
    with _server(folder, 1) as one, _server(folder, 2) as two:
        for number in range(rounds):
            both = [(1, one), (2, two)]
            for gateways, (url, pid) in both if number % 2 else reversed(both):
                found[gateways].append(_measured(url, pid, seconds))
                time.sleep(1.0)  # the store of the one catches up before the other is measured
    return found


def run(quick: bool = False) -> list[dict[str, object]]:
    """Two servers side by side, loaded in turn, several rounds; medians."""
    with _application() as folder:
        return _rows(_rounds(folder, 1 if quick else ROUNDS, 2.0 if quick else 5.0))


def _rows(found: dict[int, list[tuple[float, float, dict[str, float]]]]) -> list[dict[str, object]]:
    def row(name: str, value: float, unit: str, target: str = "", ok: bool = True) -> dict[str, object]:
        return {
            "name": f"gateways.{name}",
            "value": round(value, 3),
            "unit": unit,
            "target": target,
            "ok": ok,
        }

    def middle(gateways: int, role: str) -> float:
        return statistics.median(spent.get(role, 0.0) for _, _, spent in found[gateways])

    rows = []
    for gateways, measured in found.items():
        rows.append(
            row(f"{gateways}.16_clients", statistics.median(one[0] for one in measured), "requests/s")
        )
        rows.append(row(f"{gateways}.1_client_p50", statistics.median(one[1] for one in measured), "ms"))
        for role in ("server", "gateway 2", "workers", "collector", "store"):
            if middle(gateways, role):
                rows.append(row(f"{gateways}.cpu, {role}", middle(gateways, role), "us CPU/request"))
    rate = statistics.median(two[0] / one[0] for one, two in zip(found[1], found[2], strict=True))
    latency = statistics.median(two[1] / one[1] for one, two in zip(found[1], found[2], strict=True))
    most = statistics.median(
        max(two[2].get("server", 0.0), two[2].get("gateway 2", 0.0)) / one[2]["server"]
        for one, two in zip(found[1], found[2], strict=True)
    )
    return [
        *rows,
        row("2_over_1.requests", rate, "x", f">= {TARGET_RATE}", rate >= TARGET_RATE),
        row("2_over_1.1_client_p50", latency, "x", "<= 1.05", latency <= 1.05),
        row("2_over_1.cpu of the busiest gateway", most, "x", f"<= {TARGET_PROCESS}", most <= TARGET_PROCESS),
    ]


if __name__ == "__main__":
    for line in run(quick="--quick" in sys.argv):
        print(line)
