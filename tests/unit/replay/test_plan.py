"""What a replay refuses to run of a scene that came from elsewhere, before anything of it runs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, Scene
from relive_capture.explore.parts import SceneInput, write_scene
from relive_capture.explore.scene import SceneFile, read_scene
from relive_capture.recording_format import RecordedCall, Recording, ReplayNotes
from relive_platform.replay.errors import ReplayError
from relive_platform.replay.plan import make_plan


def scene_of(tmp_path: Path, notes: ReplayNotes) -> SceneFile:
    record = InvocationRecord(
        invocation_id="018f2c3d-1111-7000-8000-000000000001", function="price", version=3, trace_id="0" * 32,
        span_id="1" * 16, trigger_span_id="2" * 16, code_hash="feed" * 16, status="error",
    )  # fmt: skip
    scene = Scene(
        invocation_id=record.invocation_id,
        captured_ns=1,
        error=ErrorInfo(type="KeyError", message="'sku'"),
        members={"source/app.py": b"def price(event, context): ..."},
        recording=msgspec.msgpack.encode(Recording(notes=notes)),
    )
    info = write_scene(tmp_path / "x.scene", SceneInput(record=record, scene=scene))
    return read_scene(info.path)


def test_sources_of_an_archive_run_only_where_they_are_trusted(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, ReplayNotes(handler="app:price", isolation_tier=0, memory_mb=10**6))

    with pytest.raises(ReplayError, match="whoever made the scene"):
        make_plan(scene, tmp_path / "home", code=None, live=False, scratch=tmp_path)
    plan = make_plan(scene, tmp_path / "home", code=None, live=False, scratch=tmp_path, trust=True)

    # ... and then within limits that are not the archive's to choose
    assert plan.spec.isolation_tier == 1
    assert plan.spec.memory_mb == 1_024
    assert Path(plan.spec.source, "app.py").is_file()


def test_a_dependency_set_is_a_name_and_no_path(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, ReplayNotes(handler="app:price", dependencies="../../../etc"))

    with pytest.raises(ReplayError, match="no name that one can have"):
        make_plan(scene, tmp_path / "home", code=None, live=False, scratch=tmp_path, trust=True)


def test_code_that_is_nowhere_is_refused_with_a_way_out(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, ReplayNotes(handler="other:price"))

    with pytest.raises(ReplayError) as refused:
        make_plan(scene, tmp_path / "home", code=None, live=False, scratch=tmp_path)
    assert "--code PATH" in refused.value.hint


def test_a_recording_has_a_limit(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, ReplayNotes(handler="app:price"))
    scene.recorded_calls = [RecordedCall(kind="http")] * 2_001  # type: ignore[misc]  # a cached property

    with pytest.raises(ReplayError, match="over the limit of 2000"):
        make_plan(scene, tmp_path / "home", code=None, live=False, scratch=tmp_path, trust=True)
