"""memlab, an independent heap analysis: a pinned npm package in the repository's cache.

`retained(file)` is what @memlab/heap-analysis says of a .heapsnapshot.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["MemlabNode", "has_memlab", "install", "retained"]

VERSION = "2.0.5"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "memlab"
_SCRIPT = """
const {getFullHeapFromFile} = require('@memlab/heap-analysis');
const fs = require('fs');
getFullHeapFromFile(process.argv[2]).then((heap) => {
  const rows = [];
  heap.nodes.forEach((node) => {
    const above = node.dominatorNode;
    rows.push([node.id, node.self_size, node.retainedSize, above ? above.id : 0]);
  });
  fs.writeFileSync(process.argv[3], JSON.stringify(rows));
}).catch((error) => { console.error(error); process.exit(1); });
"""


@dataclass(frozen=True)
class MemlabNode:
    """What memlab says of an object; `dominator` is an id, that of the root is 1."""

    size: int
    retained: int
    dominator: int


def has_memlab() -> bool:
    """Whether npm is there; CI must have it."""
    return bool(shutil.which("npm")) or bool(os.environ.get("CI"))


def install() -> Path:
    """Install memlab on first use."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "node_modules" / "@memlab" / "heap-analysis").exists():
            flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(CACHE)]
            packages = [f"@memlab/{name}@{VERSION}" for name in ("core", "heap-analysis")]
            subprocess.run(["npm", "install", *flags, *packages], check=True, timeout=600)
    return CACHE


def retained(file: Path, folder: Path) -> dict[int, MemlabNode]:
    """Every object of the snapshot in `file`, by its id; `folder` is for memlab's own files."""
    script = install() / "retained.js"
    script.write_text(_SCRIPT)
    answer = folder / "memlab.json"
    ran = subprocess.run(
        ["node", "--max-old-space-size=4096", str(script), str(file), str(answer)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
    )
    if ran.returncode:
        pytest.fail(f"memlab: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return {row[0]: MemlabNode(*row[1:]) for row in json.loads(answer.read_text())}
