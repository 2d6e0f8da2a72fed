"""What an import costs, against a yardstick that runs on the same machine at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["YARDSTICK", "cost_and_modules", "share_of_yardstick"]

YARDSTICK = """
import argparse, asyncio, concurrent.futures.process, doctest, ftplib, http.server, logging.config
import multiprocessing.pool, pdb, sqlite3, tarfile, unittest.mock, xml.dom.minidom, zipfile
"""
"""A handful of the standard library; some 75 ms of CPU time."""

_MOST_ROUNDS = 15


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
    """The least that `imports` cost in some rounds, by the least that the yardstick did. They take turns, so
    that a machine which is busy for a while is so for both; rounds end when the share is `enough`."""
    ours, theirs = [], []
    for number in range(_MOST_ROUNDS):
        ours.append(cost_and_modules(imports, bytecode, flags, path)[0])
        theirs.append(cost_and_modules(YARDSTICK, bytecode, flags, path)[0])
        if number and min(ours) / min(theirs) <= enough:
            break
    return min(ours) / min(theirs)
