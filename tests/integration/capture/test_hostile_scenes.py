"""Scenes from anywhere are opened in bounded memory and time: each in a process of its own, measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scene_bombs import BOMBS

MEMORY_BYTES = 1 << 30
CPU_S = 20.0
SUPPORT = Path(__file__).parents[2] / "support"
PROGRAM = f"""
import resource, sys
sys.path.insert(0, {str(SUPPORT)!r})
from relive_capture.explore.errors import SceneError
from scene_views import look_at_everything
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
try:
    look_at_everything(open(sys.argv[1], "rb").read())
    print("shown")
except SceneError as error:
    print("refused", len(error.message.splitlines()), error.message)
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(peak, used.ru_utime + used.ru_stime, file=sys.stderr)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_neither_memory_nor_time(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.scene"
    path.write_bytes(BOMBS[name]())

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=100
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(("shown", "refused 1 ")), done.stdout
    peak_kb, cpu_s = done.stderr.split()[-2:]
    assert int(peak_kb) < 600_000, (peak_kb, done.stdout)
    assert float(cpu_s) < CPU_S, (cpu_s, done.stdout)


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "bomb.scene"
    path.write_bytes(BOMBS["overlapping"]())

    done = subprocess.run(
        [sys.executable, "-m", "relive", "--home", str(tmp_path / "home"), "failure", str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        timeout=60,
    )

    assert done.returncode != 0
    assert "over the limit of" in done.stderr
    assert "Traceback" not in done.stderr
