"""`make bench`: every benchmark, with its peers in the same run, as one table.

Each benchmark is a module below bench/ with `run(quick) -> list of rows`; a row has name, value, unit, target
and ok (None where there is no target). On a shared machine figures are noisy: the ratios are what counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
PEERS = ("chdb-core", "clickhouse-driver", "functions-framework", "opentelemetry-sdk", "pyinstrument",
         "sentry-sdk", "textual", "uvicorn")  # fmt: skip


def benchmarks() -> dict[str, Path]:
    """Name ("store/insert") to file."""
    found = sorted(
        path for path in ROOT.rglob("*.py") if path.parent != ROOT and not path.name.startswith("_")
    )
    return {
        str(path.relative_to(ROOT).with_suffix("")): path for path in found if "def run(" in path.read_text()
    }


def machine() -> str:
    """What the figures were taken on."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {version(name)}" for name in PEERS)
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {model}, {os.cpu_count()} cores, load {load:.1f} at the start, "
        f"Python {platform.python_version()}; {versions}"
    )


def run_one(path: Path, quick: bool) -> list[dict[str, Any]]:
    """Import a benchmark's file and run it."""
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
        rows: list[dict[str, Any]] = module.run(quick)
    finally:
        sys.path.remove(str(path.parent))
    return rows


def show(name: str, row: dict[str, Any]) -> str:
    """One line of the table, as Markdown."""
    value = row["value"]
    shown = f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"
    mark = {True: "yes", False: "NO"}.get(row.get("ok"), "")
    return f"| {name} | {row['name']} | {shown} {row['unit']} | {row.get('target', '')} | {mark} |"


def main() -> int:
    """Exit status 1 where a benchmark broke; a target that was missed is shown, not judged."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these, e.g. store/insert")
    parser.add_argument("--quick", action="store_true", help="small sizes, for trying it out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = {name: path for name, path in benchmarks().items() if not options.names or name in options.names}
    if not options.json:
        print(
            f"{machine()}\n\n| benchmark | figure | value | target | met |\n| --- | --- | --- | --- | --- |",
            flush=True,
        )
    broken = 0
    for name, path in chosen.items():
        try:
            rows = run_one(path, options.quick)
        except Exception as error:  # one broken benchmark must not hide the others
            broken += 1
            print(f"| {name} | failed | {type(error).__name__}: {error} | | |", flush=True)
            continue
        for row in rows:
            print(json.dumps({"benchmark": name, **row}) if options.json else show(name, row), flush=True)
    return 1 if broken or not chosen else 0


if __name__ == "__main__":
    raise SystemExit(main())
