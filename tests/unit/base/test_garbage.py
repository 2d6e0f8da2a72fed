"""Free memory that goes back to the system."""

from __future__ import annotations

import subprocess
import sys

from relive_base.garbage import GivesBack

PROGRAM = """
import sys
from pathlib import Path
from relive_base.garbage import GivesBack

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

gives_back = GivesBack(0.0)
parts = [bytes(1_000) for _ in range(100_000)]
kept = bytes(1_000)  # behind all of it
full = resident()
del parts
gives_back.now_and_then()
print(full - resident(), len(kept))
"""


def test_what_is_free_goes_back():
    freed_kib, _ = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    ).stdout.split()
    assert int(freed_kib) > 50_000


def test_it_is_done_now_and_then():
    now = [0.0]
    gives_back = GivesBack(10.0, lambda: now[0])
    done = []
    for now[0] in (1.0, 9.0, 10.0, 11.0, 19.0, 25.0):
        done.append(gives_back.now_and_then())
    assert done == [False, False, True, False, False, True]
