"""A patch waits for its module to be imported, however often that is tried."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from relive_capture.record.recording.imports import when_imported

NAME = "relive_waited_for"


@pytest.fixture
def patched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ModuleType]]:
    """Modules that were patched: a folder on the path has one that waits for it."""
    found: list[ModuleType] = []
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"{NAME}.py").write_text("from os import nothing")
    stop = when_imported({NAME: found.append})
    yield found
    stop()
    sys.modules.pop(NAME, None)


def written(folder: Path, source: str) -> None:
    (folder / f"{NAME}.py").write_text(source)
    importlib.invalidate_caches()


def test_a_module_that_was_looked_for_is_patched_when_it_is_imported(
    patched: list[ModuleType], tmp_path: Path
) -> None:
    # Given a module that is only looked for
    written(tmp_path, "here = 1")
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.loader is not None
    assert spec.loader.is_package(NAME) is False  # type: ignore[attr-defined]
    assert patched == []
    # When it is imported, I expect it to be patched once
    module = importlib.import_module(NAME)
    importlib.reload(module)
    assert patched == [module]


def test_a_module_whose_import_failed_is_patched_the_next_time(
    patched: list[ModuleType], tmp_path: Path
) -> None:
    # Given an import that fails
    with pytest.raises(ImportError):
        importlib.import_module(NAME)
    # When it is tried again, I expect the module to be patched
    written(tmp_path, "here = 1  # of another size than before")
    assert patched == []
    module = importlib.import_module(NAME)
    assert patched == [module]
