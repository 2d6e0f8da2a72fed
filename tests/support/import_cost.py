"""What an import costs, against a yardstick that runs on the same machine at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

__all__ = ["YARDSTICK", "cost_and_modules", "share_of_yardstick"]

YARDSTICK = """
import argparse, asyncio, concurrent.futures.process, doctest, ftplib, http.server, logging.config
import multiprocessing.pool, pdb, sqlite3, tarfile, unittest.mock, xml.dom.minidom, zipfile
"""
"""A handful of the standard library; some 75 ms of CPU time."""

_LEAST_ROUNDS, _MOST_ROUNDS = 5, 25


def cost_and_modules(
    imports: str, bytecode: Path, flags: Sequence[str] = (), path: str = ""
) -> tuple[float, list[str]]:
    """(CPU time in s, modules that are loaded then) of a fresh interpreter that runs `imports`; `path` is
    added to its own. From bytecode, as if installed: an environment may keep that from being written."""
    program = (
        "import json, sys, time\n"
        "sys.path.extend(sys.argv[1:])\n"
        "began = time.process_time()\n"
        f"{imports}\n"
        "cost = time.process_time() - began\n"
        "print(json.dumps([cost, sorted(sys.modules)]))\n"
    )
    command = [
        sys.executable,
        *flags,
        "-X",
        f"pycache_prefix={bytecode}",
        "-c",
        program,
        *([path] if path else []),
    ]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    cost, modules = json.loads(done.stdout)
    return cost, modules


def share_of_yardstick(
    imports: str, bytecode: Path, flags: Sequence[str] = (), path: str = "", enough: float = 0.0
) -> float:
    """What `imports` cost by what the yardstick does: the median of some rounds. In each both are taken one
    after the other, so that a machine which is busy for a while is so for both, and one lucky measurement of
    either is none. Rounds end when the share is `enough`."""
    cost_and_modules(imports, bytecode, flags, path)  # which writes the bytecode
    cost_and_modules(YARDSTICK, bytecode, flags, path)
    shares: list[float] = []
    while len(shares) < _MOST_ROUNDS:
        ours = cost_and_modules(imports, bytecode, flags, path)[0]
        shares.append(ours / cost_and_modules(YARDSTICK, bytecode, flags, path)[0])
        if len(shares) >= _LEAST_ROUNDS and median(shares) <= enough:
            break
    return median(shares)
