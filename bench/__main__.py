"""`make bench`: every benchmark, with its peers in the same run, as one Markdown table.

Each benchmark is a module below bench/ with `run(quick) -> list of rows`, and with `try_out()`, the smallest
run of what it sets up, for a test. A row has name, value (None where it could not be measured; the unit then
says why), unit, target and ok (both None or empty where there is no target). Each runs in an interpreter of
its own, so that none finds what another left behind. The table goes to stdout, the progress to stderr. On a
shared machine figures are noisy: the ratios are what counts.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent
PEERS: Final = ("chdb-core", "clickhouse-driver", "functions-framework", "opentelemetry-sdk", "pyinstrument",
                "sentry-sdk", "textual", "uvicorn")  # fmt: skip
LIMIT_S: Final = 1_800.0
QUICK_LIMIT_S: Final = 240.0
"""How long one benchmark may take before it is given up; --limit changes it."""
_KILL_AFTER_S: Final = 10.0

Row = dict[str, Any]


class BenchmarkFailed(Exception):
    """A benchmark ended without its rows."""


def benchmarks() -> dict[str, Path]:
    """Name ("store/insert") to file."""
    found = sorted(
        path for path in ROOT.rglob("*.py") if path.parent != ROOT and not path.name.startswith("_")
    )
    return {
        str(path.relative_to(ROOT).with_suffix("")): path for path in found if "def run(" in path.read_text()
    }


# ---------------------------------------------------------------- what the figures were taken on


@dataclass(frozen=True)
class Moment:
    """The machine's counters: CPU seconds of all cores since the boot, and of this run's own processes."""

    load: float
    total_s: float
    busy_s: float
    stolen_s: float
    own_s: float

    @classmethod
    def now(cls) -> Moment:
        """Children count once they have ended."""
        tick = os.sysconf("SC_CLK_TCK")
        line = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        times = [int(field) / tick for field in line]
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        idle, stolen = times[3] + times[4], times[7]
        return cls(
            load=os.getloadavg()[0],
            total_s=sum(times),
            busy_s=sum(times) - idle - stolen,
            stolen_s=stolen,
            own_s=sum(usage.ru_utime + usage.ru_stime for usage in own),
        )


def machine() -> str:
    """Processor, interpreter and the versions of the peers."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {model}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; {', '.join(f'{name} {_version(name)}' for name in PEERS)}"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def noise(before: Moment, after: Moment) -> str:
    """How busy the machine was with other things meanwhile."""
    total = max(after.total_s - before.total_s, 0.001)
    own = after.own_s - before.own_s
    others = max(after.busy_s - before.busy_s - own, 0.0) / total
    stolen = (after.stolen_s - before.stolen_s) / total
    quiet = others + stolen < 0.05
    return (
        f"Load average {before.load:.1f} before, {after.load:.1f} after. Other programs had {others:.0%} of "
        f"the machine's CPU time, its host took {stolen:.0%}, these benchmarks used {own / total:.0%}: "
        + ("a quiet machine." if quiet else "times are noisy, compare the ratios of one run.")
    )


# ---------------------------------------------------------------- one benchmark in its own interpreter


def load(path: Path) -> ModuleType:
    """Import a file of a benchmark."""
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def run_here(path: Path, quick: bool) -> list[Row]:
    """Run a benchmark in this process."""
    rows: list[Row] = load(path).run(quick)
    return rows


def run_apart(name: str, quick: bool, limit_s: float) -> list[Row]:
    """The rows of one benchmark, run by an interpreter of its own. Raises BenchmarkFailed.

    Whatever it prints goes to stderr; what it leaves in the temporary folder is removed.
    """
    with tempfile.TemporaryDirectory(prefix="rl-", ignore_cleanup_errors=True) as folder:
        answer = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "bench", "--answer", str(answer), name]
        process = subprocess.Popen(
            [*command, "--quick"] if quick else command,
            cwd=ROOT.parent,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            env={**os.environ, "TMPDIR": folder},
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise BenchmarkFailed(f"took longer than {limit_s:g} s; --limit allows more") from None
        finally:
            _end(process)
        if not answer.exists():
            raise BenchmarkFailed(f"its process ended with status {status}")
        told: dict[str, Any] = json.loads(answer.read_text())
    if "failed" in told:
        raise BenchmarkFailed(told["failed"])
    rows: list[Row] = told["rows"]
    return rows


def _end(process: subprocess.Popen[bytes]) -> None:
    """It, and what it started and forgot in its session."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # its `finally` clauses stop what it started
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_AFTER_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answer_to(file: Path, path: Path, quick: bool) -> int:
    """The other side of `run_apart`."""
    try:
        told: dict[str, Any] = {"rows": run_here(path, quick)}
    except Exception as error:  # told to the one who started this
        told = {"failed": f"{type(error).__name__}: {error}"}
    file.write_text(json.dumps(told))
    return 0


# ---------------------------------------------------------------- the table


def show(name: str, row: Row) -> str:
    """One line of the table, as Markdown."""
    unit = str(row.get("unit", ""))
    value = row.get("value")
    shown = unit if value is None or unit.startswith("not measured") else f"{_number(value)} {unit}"
    target = _target(row)
    mark = {True: "yes", False: "NO"}.get(row["ok"], "") if target and row.get("ok") is not None else ""
    return f"| {name} | {_cell(row['name'])} | {_cell(shown)} | {_cell(target)} | {mark} |"


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def _target(row: Row) -> str:
    """The target as text; which way a bare number points is told by `ok`."""
    target = row.get("target")
    if not target or isinstance(target, str):
        return target or ""
    upwards = (row["value"] >= target) == bool(row.get("ok"))
    return f"{'>=' if upwards else '<='} {_number(target)}"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def run_all(chosen: list[str], options: argparse.Namespace) -> list[str]:
    """Run and print them; the names of those that broke."""
    broken = []
    for number, name in enumerate(chosen, 1):
        began = time.monotonic()
        _progress(f"[{number}/{len(chosen)}] {name} ...")
        try:
            rows = run_apart(name, options.quick, options.limit)
        except BenchmarkFailed as error:  # one broken benchmark must not hide the others
            broken.append(name)
            rows = [{"name": "failed", "value": None, "unit": str(error), "target": "", "ok": False}]
        for row in rows:
            print(json.dumps({"benchmark": name, **row}) if options.json else show(name, row), flush=True)
        _progress(f"[{number}/{len(chosen)}] {name}: {time.monotonic() - began:.0f} s")
    return broken


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line. Exits with status 2 at an unknown benchmark."""
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"only these: {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, for trying it out")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--limit", type=float, default=None, help="seconds that one benchmark may take")
    parser.add_argument("--answer", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    options.names = options.names or list(known)
    options.limit = options.limit or (QUICK_LIMIT_S if options.quick else LIMIT_S)
    return options


def main() -> int:
    """Exit status 1 where a benchmark broke; a target that was missed is shown, not judged."""
    options = parse(sys.argv[1:])
    if options.answer is not None:
        return answer_to(options.answer, benchmarks()[options.names[0]], options.quick)
    before = Moment.now()
    if not options.json:
        head = "| benchmark | figure | value | target | met |\n| --- | --- | --- | --- | --- |"
        print(f"{machine()}\n\n{head}", flush=True)
    try:
        broken = run_all(options.names, options)
    except KeyboardInterrupt:
        _progress("interrupted")
        return 130
    note = noise(before, Moment.now())
    if options.json:
        print(json.dumps({"benchmark": "machine", "name": machine(), "note": note}))
    else:
        print(f"\n{note}{' Quick sizes.' if options.quick else ''}")
    if broken:
        _progress(f"broken: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
