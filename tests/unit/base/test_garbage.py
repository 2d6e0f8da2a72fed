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


COLLECTIONS = """
import gc
from relive_base.garbage import seldom, settle
{begin}
passes = []
gc.callbacks.append(lambda phase, _: passes.append(phase))
import asyncio, email.message, html, http.server, json, logging.config, unittest.mock, xml.dom
begun = len(passes)
settle()
print(begun, gc.get_threshold()[0], gc.isenabled())
"""


def test_while_a_process_begins_nothing_is_collected():
    # Given a process that imports, as it is and with fewer collections
    def told(begin: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", COLLECTIONS.replace("{begin}", begin)],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    as_it_is, seldom = told(""), told("seldom()")

    # I expect none in the second one until it is ready, and what a process that stays has from then on
    assert int(as_it_is[0]) > 10
    assert seldom[0] == "0"
    assert as_it_is[1:] == seldom[1:] == ["20000", "True"]
