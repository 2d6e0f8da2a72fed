"""Whatever a scene holds, it is shown or refused with a SceneError: nothing else, and no terminal escape."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_capture.explore.errors import SceneError
from relive_capture.explore.scene import read_scene
from scene_bombs import REFUSED
from scene_views import look_at_everything, mutated
from whole_scene import write_whole_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    return write_whole_scene(folder).read_bytes()


def test_the_whole_scene_can_be_shown(scene: bytes) -> None:
    look_at_everything(scene)


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_changed_scene_is_shown_or_refused(scene: bytes, seed: int) -> None:
    with contextlib.suppress(SceneError):
        look_at_everything(mutated(scene, random.Random(seed)))


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_archive_is_refused_at_once(name: str) -> None:
    make, words = REFUSED[name]

    with pytest.raises(SceneError) as raised:
        read_scene(make())

    assert words in str(raised.value)


def test_a_source_that_leads_elsewhere_is_not_found(scene: bytes) -> None:
    assert read_scene(scene).source("../../etc/passwd") == ""
    assert Path("/etc/passwd").exists()
