"""Scenes in the real store: listed, grouped, found by the beginning of their id, read back byte for byte."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore import AmbiguousScene, SceneNotFound, failures, scenes
from relive_capture.explore.failures import blob_columns, scene_columns
from relive_capture.explore.failures.failures import SPARK_BUCKETS
from relive_capture.explore.parts import SceneInput, write_scene
from relive_capture.explore.scene import scene_path
from relive_store import Store, StoreProcess, open_store

# Not a fixed day: what is older than the retention is dropped at once.
BEGIN = time.time_ns() - 3_600_000_000_000
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = tmp_path_factory.mktemp("store")
    process = StoreProcess(home / "data", home / "s.sock", log_path=home / "log")
    process.start()
    found = open_store(f"unix://{home / 's.sock'}")
    try:
        found.migrate()
        yield found
    finally:
        found.close()
        process.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Path:
    """Seven failures of two functions; the scenes of `report` are only in the store."""
    folder = tmp_path_factory.mktemp("scenes")
    written = []
    for number in range(7):
        function = "report" if number >= 5 else "checkout"
        invocation_id = f"0193{number:04x}-aaaa-7000-8000-000000000000"
        error = ErrorInfo(
            type="KeyError", message=f"'sku-{number}'", file="cart.py", line=number, fingerprint=function[:4]
        )
        record = InvocationRecord(
            invocation_id=invocation_id,
            function=function,
            version=1 + number % 2,
            trace_id="ab" * 16,
            span_id="cd" * 8,
            trigger_span_id="ef" * 8,
            status="error",
            error=error,
        )
        data = bytes(range(256)) * 100
        source = SceneInput(
            record=record, captured_ns=BEGIN + number * SECOND, members={"native/blob.bin": data}
        )
        info = write_scene(scene_path(folder, invocation_id, 1), source)
        written.append(info)
        store.insert("scene_blobs", blob_columns(info.hash, info.path.read_bytes(), BEGIN))
        if function == "report":
            info.path.unlink()
    store.insert("failure_scenes", scene_columns(written))
    # a replayed spool brings one of them again
    store.insert("failure_scenes", scene_columns(written[:1]))
    return folder


def test_failures_come_newest_first_and_once(store: Store, folder: Path) -> None:
    rows = failures.page(store, failures.FailureFilter(), limit=100)

    assert [row.message for row in rows] == [f"'sku-{number}'" for number in range(6, -1, -1)]
    assert rows[0].captured_ns == BEGIN + 6 * SECOND
    assert rows[0].parts["exception"] == "missing"
    assert failures.count(store, failures.FailureFilter()) == 7


def test_filters_and_pages_narrow_the_list(store: Store, folder: Path) -> None:
    checkout = failures.FailureFilter(function="checkout")
    window = failures.FailureFilter(since_ns=BEGIN + SECOND, until_ns=BEGIN + 3 * SECOND)

    assert [row.line for row in failures.page(store, checkout, limit=2, offset=1)] == [3, 2]
    assert [row.line for row in failures.page(store, window)] == [2, 1]
    assert failures.page(store, failures.FailureFilter(function="'; DROP TABLE failure_scenes; --")) == []


def test_groups_count_and_point_to_the_newest(store: Store, folder: Path) -> None:
    report, checkout = failures.groups(store, failures.FailureFilter())

    assert (report.function, report.count, report.line) == ("report", 2, 6)
    assert (checkout.function, checkout.count, checkout.message) == ("checkout", 5, "'sku-4'")
    assert (checkout.first_ns, checkout.last_ns) == (BEGIN, BEGIN + 4 * SECOND)
    assert checkout.newest.startswith("01930004")
    assert checkout.versions == (1, 2)
    assert sum(checkout.spark) == 5
    assert len(checkout.spark) == SPARK_BUCKETS


def test_a_scene_is_found_by_the_beginning_of_its_id_or_as_the_last(store: Store, folder: Path) -> None:
    assert scenes.load(store, folder, "01930002").manifest["error"]["message"] == "'sku-2'"
    assert scenes.load(store, folder, "last").manifest["error"]["message"] == "'sku-6'"


def test_a_scene_whose_file_is_gone_comes_from_the_store_byte_for_byte(store: Store, folder: Path) -> None:
    name, data = scenes.archive_bytes(store, folder, "01930005")

    assert not (folder / name).exists()
    assert scenes.load(store, folder, "01930005").raw == data
    assert scenes.load(store, folder, "01930005").member("native/blob.bin") == bytes(range(256)) * 100


def test_a_scene_on_disk_that_the_store_does_not_know_yet_is_found(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    name, data = scenes.archive_bytes(store, folder, "01930001")
    path = scene_path(tmp_path, "ffff0000-fresh", 2)
    path.write_bytes(data)

    assert scenes.archive_bytes(store, tmp_path, "ffff") == (path.name, data)
    assert name.endswith("-1.scene")


def test_unclear_and_unknown_ids_are_said(store: Store, folder: Path) -> None:
    with pytest.raises(AmbiguousScene, match="may mean"):
        scenes.load(store, folder, "0193")
    with pytest.raises(SceneNotFound, match="begins with 'nope'"):
        scenes.load(store, folder, "nope")
    with pytest.raises(SceneNotFound, match=r"attempt 9 of 01930001-.* has no scene"):
        scenes.load(store, folder, "01930001", 9)
    with pytest.raises(SceneNotFound, match="begins with 'nope'"):
        scenes.load(store, folder, "nope", 9)
