"""The extension for Visual Studio Code: its own tests, and what its manifest says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from relive.dap.opening import MODES

EXTENSION = Path(__file__).resolve().parents[3] / "editors" / "vscode"


def test_every_command_of_its_manifest_is_there() -> None:
    manifest = json.loads((EXTENSION / "package.json").read_text())
    code = (EXTENSION / manifest["main"]).read_text()
    contributed = manifest["contributes"]

    assert all(f"'{one['command']}'" in code for one in contributed["commands"])
    (debugger,) = contributed["debuggers"]
    attach = debugger["configurationAttributes"]["attach"]["properties"]
    assert set(attach["mode"]["enum"]) < set(MODES)


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_its_own_tests_pass() -> None:
    done = subprocess.run(
        ["node", "--test", "test"], cwd=EXTENSION, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout[-2000:]
