"""A scene file from somebody else: looked at without a server, a store or a home."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from heap_builder import HeapBuilder, frame_root
from relive_base.errors import UsageError
from relive_base.records import InvocationRecord
from relive_base.wire.messages import FunctionSpec, LogLine, Profile, SpanData, StackFrames
from relive_capture.explore.errors import SceneError
from relive_capture.explore.parts import SceneInput, write_scene
from relive_capture.explore.scene import read_scene
from relive_capture.heap_format import ITEM
from relive_capture.record import capture_exception
from relive_tui.app import ReliveApp
from relive_tui.heap.shelf import HeapShelf
from relive_tui.models.navigation.scope import Scope
from relive_tui.models.progress import Progress
from relive_tui.source.file import FileSource
from relive_tui.source.snapshot import SnapshotSource
from relive_tui.source.tickets import Cancelled, Ticket

START = 1_795_435_451_204_000_000
MS = 1_000_000


def price(item: dict[str, int], prices: dict[str, int]) -> int:
    return prices["sku"] * item["qty"]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """An archive with spans, logs and a profile."""
    record = InvocationRecord(
        invocation_id="019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01", function="checkout", version=31,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span_id="00f067aa0ba902b7",
        trigger_span_id="00f067aa0ba902b8", started_ns=START, ended_ns=START + 10 * MS, status="error",
    )  # fmt: skip
    try:
        price({"qty": 2}, {"other": 1})
    except KeyError as error:
        spec = FunctionSpec(
            name="checkout", version=31, handler="m:handler", source=str(Path(__file__).parent)
        )
        scene = capture_exception(error, kind="exception", spec=spec, invocation_id=record.invocation_id)
    span = SpanData(
        record.trace_id, "a" * 16, record.span_id, "load", "Internal", START, START + 4 * MS, "Error"
    )
    profile = Profile(
        invocation_id=record.invocation_id, started_ns=START, duration_ns=10 * MS, stack_hashes=[1],
        counts=[9], wall_ns=[9 * MS], cpu_ns=[8 * MS],
        new_stacks=[StackFrames(1, ["handler", "price"], ["cart.py", "cart.py"], [30, 28])],
    )  # fmt: skip
    path = tmp_path / "theirs.scene"
    write_scene(
        path,
        SceneInput(
            record=record, scene=scene, event=b'{"qty": 2}', spans=[span], profiles=[profile],
            logs=[LogLine(START + MS, "WARN", "stale list")], captured_ns=START + 5 * MS,
        ),
    )  # fmt: skip
    return path


async def test_every_screen_of_a_file_works_and_y_gives_the_command_that_reopens_it(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable[..., Awaitable[None]]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    app = ReliveApp(FileSource(str(theirs)), "failure")
    async with app.run_test(size=(120, 36)) as pilot:
        # Given the failure, as the file has it
        await pilot.pause()
        await until(pilot, lambda: not app.here.busy)
        text = screen_text(app)
        assert "✖ KeyError: 'sku'" in text
        assert 'return prices["sku"]' in text
        assert "stale list" in text
        assert "▪ theirs.scene" in text.split("\n")[0]
        # When its trace, flame graph, logs and home are asked for, Then each shows what the file knows
        for key, shown in (("3", "load"), ("4", "cart.py:28"), ("6", "stale list"), ("1", "✖ KeyError")):
            await pilot.press(key)
            await pilot.pause()
            await until(pilot, lambda: not app.here.busy)
            await pilot.pause()
            assert shown in screen_text(app), key
        await pilot.press("enter", "y")
        await pilot.pause()
        copied = (tmp_path / "cache/relive/yank.txt").read_text()
        assert copied == f"relive tui failure {theirs}"


def screen_text(app: ReliveApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


def test_the_sources_of_a_file_are_opened_from_a_copy_inside_the_cache(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an archive whose names try to lead elsewhere
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = FileSource(str(theirs))
    name = next(name for name in source._scene.sources if name.endswith("test_scene_file.py"))
    opened = Path(source.source_path(Ticket(), Scope(), 0, name))
    assert opened.read_text() == source._scene.source(name)
    assert opened.resolve().is_relative_to((tmp_path / "cache").resolve())
    assert source.source_path(Ticket(), Scope(), 0, "../../etc/passwd") == ""


def test_a_damaged_part_is_told_and_does_not_hide_the_failure(theirs: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.scene"
    with zipfile.ZipFile(theirs) as before, zipfile.ZipFile(broken, "w") as after:
        for name in before.namelist():
            after.writestr(name, b"[{" if name == "threads.json" else before.read(name))
    view = FileSource(str(broken)).scene(Ticket(), "last", 0)
    assert view.exceptions[0].type == "KeyError"
    assert any("threads.json" in text for text in view.facts.damaged)


def with_heap(path: Path, theirs: Path, count: int = 50, **changes: bytes) -> str:
    """The archive with a small heap in it."""
    builder = HeapBuilder()
    rows = [builder.add("bytes", 9_000) for _ in range(count)]
    cache = builder.add("dict", 100, [(builder.label(ITEM, f"'{n}'"), row) for n, row in enumerate(rows)])
    frame_root(builder, "cart.py:88 handler", {"cache": cache})
    members = {**builder.members(), **{name.replace("_", "/", 1): data for name, data in changes.items()}}
    with zipfile.ZipFile(theirs) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name == "manifest.json":
                data = data.replace(b'"heap": {\n      "state": "missing"', b'"heap": {\n      "state": "ok"')
            after.writestr(name, data)
        for name, data in members.items():
            after.writestr(name, data)
    return str(path)


def test_a_heap_is_analysed_in_a_process_of_its_own_and_kept(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a scene with a heap, and a cache that is empty
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = with_heap(tmp_path / "heap.scene", theirs)
    # When it is opened
    found = FileSource(path).heap(Ticket(), Scope(), Progress())
    # Then the leak is known
    assert found.heap is not None
    assert found.heap.kind(found.suspects[0].point) == "dict"
    # And the next program has it without a process
    monkeypatch.setattr("sys.executable", "/nowhere")
    assert FileSource(path).heap(Ticket(), Scope(), Progress()).heap is not None


def test_a_heap_is_exported_for_chrome_and_that_file_is_opened_again(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = FileSource(with_heap(tmp_path / "heap.scene", theirs))
    told = source.export(Ticket(), Scope(), "heapsnapshot", str(tmp_path))
    written = told.split("\n")[0]
    assert written.endswith(".heapsnapshot")
    found = SnapshotSource(written).heap(Ticket(), Scope(), Progress())
    assert found.heap is not None
    assert any(heap_kind == "dict" for heap_kind, *_ in found.types)
    with pytest.raises(UsageError, match="no file"):
        SnapshotSource(str(tmp_path / "missing.heapsnapshot"))


def test_two_heaps_are_compared_in_a_process(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = read_scene(with_heap(tmp_path / "older.scene", theirs))
    newer = read_scene(with_heap(tmp_path / "newer.scene", theirs, 90))
    growth = HeapShelf(tmp_path / "cache").compare(Ticket(), older, newer, Progress())
    assert growth.total_after - growth.total_before == 40 * 9_000
    assert "cache" in growth.places[0].path


def test_a_heap_that_is_not_wanted_any_more_or_damaged_is_no_trouble(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    given_up = Ticket()
    given_up.cancel()
    with pytest.raises(Cancelled):
        FileSource(with_heap(tmp_path / "heap.scene", theirs)).heap(given_up, Scope(), Progress())
    broken = with_heap(tmp_path / "broken.scene", theirs, **{"heap_types.json": b"[[1]]"})
    found = FileSource(broken).heap(Ticket(), Scope(), Progress())
    assert found.heap is None
    assert "heap/types.json" in found.reason
    without = FileSource(str(theirs))
    reason = without.heap(Ticket(), Scope(), Progress()).reason
    assert reason == without._scene.parts["heap"].reason != ""


def test_what_is_no_scene_is_said_before_the_screen_is_taken(tmp_path: Path) -> None:
    (tmp_path / "x.scene").write_text(json.dumps({"no": "zip"}))
    with pytest.raises(SceneError, match="not a scene archive"):
        FileSource(str(tmp_path / "x.scene"))
    with pytest.raises(SceneError, match="cannot be opened"):
        FileSource(str(tmp_path / "missing.scene"))
