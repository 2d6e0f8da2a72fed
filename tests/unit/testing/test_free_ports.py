"""Ports that tests give to their servers."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import free_ports
import pytest
from free_ports import free_port

OTHER = """
import sys, pathlib, free_ports
free_ports._LOCKS, free_ports._PORTS = pathlib.Path(sys.argv[1]), range(20_000, 20_040)
print(*[free_ports.free_port() for _ in range(20)], flush=True)
input()
"""


def test_a_port_is_one_tests_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given forty ports, of which another process has been given twenty
    monkeypatch.setattr(free_ports, "_LOCKS", tmp_path)
    monkeypatch.setattr(free_ports, "_PORTS", range(20_000, 20_040))
    support, pipe = Path(free_ports.__file__).parent, subprocess.PIPE
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=pipe, stdout=pipe, text=True, cwd=support
    )
    assert other.stdout is not None
    theirs = {int(word) for word in other.stdout.readline().split()}
    # When this one wants some, and listens on one of them
    with socket.create_server(("127.0.0.1", free_port())) as listening:
        ours = [listening.getsockname()[1], *(free_port() for _ in range(7))]
    # I expect ports of its own
    assert len(set(ours)) == 8
    assert (len(theirs), theirs & set(ours)) == (20, set())
    other.communicate("\n")
