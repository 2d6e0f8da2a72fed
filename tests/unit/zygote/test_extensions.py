"""C extensions that were compiled of another source than the one that is there."""

from __future__ import annotations

import logging
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from relive_platform.engine.workers.extensions import STAMP, Extensions, fingerprint

LOOKS = "relive_profiler.record._looks"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package with a source, a header, and what was compiled of them."""
    record = tmp_path / "relive_profiler" / "record"
    record.mkdir(parents=True)
    (record / "_looks.c").write_text("int looks;\n")
    (record / "_looks.h").write_text("int more;\n")
    stamp = STAMP + fingerprint(record / "_looks.c")
    (record / f"_looks{EXTENSION_SUFFIXES[0]}").write_bytes(b"\x7fELF" + stamp + b"\0rest")
    return record


def _found(folder: Path, *, pure: bool = False) -> Extensions:
    return Extensions({"relive_profiler": folder.parent}, pure=pure)


def test_those_of_this_checkout_are_of_its_sources() -> None:
    # If it fails, hatch_build.py has another fingerprint, or `make setup` was forgotten
    assert Extensions().problem == ""


def test_one_of_its_own_source_is_used(folder: Path) -> None:
    found = _found(folder)
    assert (found.built, found.without, found.problem) == ([LOOKS], [], "")


@pytest.mark.parametrize("changed", ["_looks.c", "_looks.h"])
def test_one_of_another_source_is_not_used_and_named(
    folder: Path, changed: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a checkout whose source has changed, as by a pull
    (folder / changed).write_text("int other;\n")
    # When a server looks for its extensions
    found = _found(folder)
    with caplog.at_level(logging.WARNING):
        found.tell()
    # Then workers are not to have it, and the log says what helps
    assert found.without == [LOOKS]
    assert "_looks" in caplog.text
    assert "make setup" in caplog.text


def test_one_without_a_fingerprint_is_not_used(folder: Path) -> None:
    (folder / f"_looks{EXTENSION_SUFFIXES[0]}").write_bytes(b"\x7fELF of before")
    assert _found(folder).without == [LOOKS]


def test_an_installation_without_sources_is_as_it_was_built(folder: Path) -> None:
    (folder / "_looks.c").unlink()
    assert _found(folder).without == []


def test_who_wants_python_alone_gets_none(folder: Path) -> None:
    found = _found(folder, pure=True)
    assert (found.without, found.problem) == ([LOOKS], "")


def test_a_module_that_is_not_to_be_imported_is_as_if_it_was_not_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a zygote that was told so
    import relive_profiler.record
    from relive_profiler.record.native import native

    monkeypatch.delattr(relive_profiler.record, "_looks", raising=False)
    monkeypatch.setitem(sys.modules, LOOKS, None)
    # Then Python's twin is used
    assert native() is None
