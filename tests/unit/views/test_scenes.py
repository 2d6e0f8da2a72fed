"""A scene as every face shows it: its own values, lines and stacks, in no copies of other types."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_base.values import ValueNode
from relive_capture.explore.scene import SceneFile, read_scene
from relive_views.records import InvocationRow
from relive_views.scenes.reading import scene_of_record, scene_view
from whole_scene import INVOCATION, write_whole_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SceneFile:
    return read_scene(write_whole_scene(tmp_path_factory.mktemp("scene")))


def test_what_the_failing_expression_uses_comes_first_as_it_was_captured(scene: SceneFile) -> None:
    view = scene_view(scene)
    frame = view.exceptions[0].frames[-1]
    captured = dict(scene.exceptions[0].frames[-1].locals)
    assert frame.locals
    assert all(isinstance(node, ValueNode) for _, node in frame.locals)
    assert {name: node for name, node in frame.locals if name in captured} == captured


def test_log_lines_know_their_attempt_and_invocation(scene: SceneFile) -> None:
    view = scene_view(scene)
    assert view.logs
    assert {(row.invocation_id, row.attempt) for row in view.logs} == {(INVOCATION, scene.attempt)}


def test_facts_are_numbers_not_texts(scene: SceneFile) -> None:
    facts = scene_view(scene).facts
    assert facts.file_bytes == scene.size
    assert facts.file_members == len(scene.names)
    assert facts.damaged == ()


def test_a_failure_without_a_scene_says_what_its_row_knows(tmp_path: Path) -> None:
    row = InvocationRow(
        invocation_id=INVOCATION, function="checkout", version=3, status="timeout", started_at=5,
        duration_ns=7, error_file="cart.py", error_line=33,
    )  # fmt: skip
    view = scene_of_record(row, "no scene: it was removed")
    assert (view.kind, view.captured_ns, view.note) == ("timeout", 12, "no scene: it was removed")
    (frame,) = view.exceptions[0].frames
    assert (frame.file, frame.line, frame.function) == ("cart.py", 33, "?")
    assert view.exceptions[0].type == "timeout"
