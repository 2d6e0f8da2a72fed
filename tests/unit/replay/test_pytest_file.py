"""Tests that are written from scenes of strangers: data in them stays data."""

from __future__ import annotations

import ast
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from relive_capture.explore.scene import SceneFile, read_scene
from relive_platform.replay.errors import ReplayError
from relive_platform.replay.pytest_file import Code, pytest_file
from scene_views import zipped
from whole_scene import write_whole_scene

HOSTILE = '"""\nimport os; os.system("true")\n"""\\'


def changed(folder: Path, error: dict[str, Any], handler: str) -> SceneFile:
    """A whole scene with another error and another handler."""
    with zipfile.ZipFile(io.BytesIO(write_whole_scene(folder).read_bytes())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    manifest["error"] = error
    notes = {**json.loads(members["replay.json"]), "handler": handler}
    members |= {"manifest.json": json.dumps(manifest).encode(), "replay.json": json.dumps(notes).encode()}
    return read_scene(zipped(members))


def test_no_text_of_a_scene_becomes_code(tmp_path: Path) -> None:
    error = {"type": HOSTILE, "message": HOSTILE, "file": HOSTILE}
    scene = changed(tmp_path, error, "whole_app:handler")

    tree = ast.parse(pytest_file(scene, Code(tmp_path, None), tmp_path / "test_x.py"))

    assert {type(node) for node in tree.body[1:]} <= {ast.ImportFrom, ast.Assign, ast.FunctionDef}
    assert isinstance(tree.body[0], ast.Expr)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


@pytest.mark.parametrize("handler", ["shutil:rmtree", "os.system", "../whole_app:handler", "whole_app"])
def test_a_scene_cannot_name_a_handler_that_is_not_the_functions(tmp_path: Path, handler: str) -> None:
    scene = changed(tmp_path, {"type": "E"}, handler)

    with pytest.raises(ReplayError, match="is not in"):
        pytest_file(scene, Code(tmp_path, None), tmp_path / "test_x.py")
