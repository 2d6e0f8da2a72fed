"""A part of a scene is one object in one table: made, read and shown without another line anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore import read_scene
from relive_capture.explore.parts import PARTS, SceneInput, failure_lines, to_json, write_scene
from waiting_part import WAITING

TABLE = (*PARTS, WAITING)


def failure(started_ns: int) -> SceneInput:
    record = InvocationRecord(
        invocation_id="i-1",
        function="f",
        version=1,
        trace_id="t",
        span_id="s",
        trigger_span_id="u",
        accepted_ns=1_000_000_000,
        started_ns=started_ns,
    )
    return SceneInput(record=record, error=ErrorInfo(type="Broken", message="", kind="exception"), event=b"1")


def test_a_part_of_ones_own_is_made_read_and_shown(tmp_path: Path) -> None:
    # Given a table with one part more
    write_scene(tmp_path / "a.scene", failure(3_500_000_000), TABLE)
    scene = read_scene(tmp_path / "a.scene")
    # I expect its state in the manifest, its value for machines, its lines for people
    assert scene.parts["waiting"].state == "ok"
    assert to_json(scene, TABLE)["waiting"] == {"waited_ns": 2_500_000_000}
    lines = [line.text for line in failure_lines(scene, parts=TABLE)]
    assert "It waited for 2.5 s" in lines
    # and whoever does not know the part shows the rest, and that the scene has it
    others = [line.text for line in failure_lines(scene)]
    assert "It waited for 2.5 s" not in others
    assert any("waiting" in line for line in others if line.startswith("The scene has"))


def test_a_part_that_nobody_gives_says_why(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.scene", failure(0), TABLE)
    scene = read_scene(tmp_path / "a.scene")
    assert (scene.parts["waiting"].state, scene.parts["waiting"].reason) == ("missing", "it was never called")
    assert "  missing: waiting (it was never called)" in [line.text for line in failure_lines(scene)]


def test_names_of_parts_are_there_once() -> None:
    names = [part.name for part in PARTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_of_an_empty_failure_has_a_state(part: object, tmp_path: Path) -> None:
    write_scene(tmp_path / "a.scene", failure(0))
    assert part.name in read_scene(tmp_path / "a.scene").parts  # type: ignore[attr-defined]
