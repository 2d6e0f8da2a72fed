"""What is said of a test that was run once."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_capture.explore.scene import read_scene
from relive_platform.replay.trying import OTHER, SAME, try_test
from whole_scene import write_whole_scene

APART = """
from relive.testing.apart import run_apart
def function():
    {body}
def test_it():
    run_apart(function, 30, 512)
"""


@pytest.mark.parametrize(
    ("kind", "recorded", "body", "outcome", "said"),
    [
        ("memory", "MemoryLimit", "import nowhere_installed", OTHER, "No module named 'nowhere_installed'"),
        ("signal", "SIGSEGV", "import nowhere_installed", OTHER, "ModuleNotFoundError"),
        ("memory", "MemoryLimit", "raise MemoryError", SAME, "failed with MemoryError"),
        ("exception", "KeyError", "{}['sku']", SAME, "failed with KeyError: 'sku'"),
        ("exit", "ProcessExit", "import os; os._exit(3)", SAME, "os._exit(3)"),
    ],
)
def test_a_failure_in_a_process_of_its_own_is_told_by_its_name(
    tmp_path: Path, kind: str, recorded: str, body: str, outcome: str, said: str
) -> None:
    scene = read_scene(write_whole_scene(tmp_path).read_bytes())
    scene.manifest.update(kind=kind, error={"type": recorded})
    path = tmp_path / "test_x.py"
    path.write_text(APART.format(body=body))

    tried = try_test(path, scene, 30)

    assert (tried.outcome, said in tried.text) == (outcome, True), tried
    assert bool(tried.notes) == ("nowhere" in body), tried
